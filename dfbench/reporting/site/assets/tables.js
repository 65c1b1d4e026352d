"use strict";
// Sorting and filtering of tables; without scripts they keep their original order.

function sortKey(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = Number.parseFloat(text.replace("−", "-"));
  return { text, number: /^[-+−]?[.\d]/.test(text) ? number : Number.NaN };
}

function compareKeys(a, b, direction) {
  const numeric = !Number.isNaN(a.number) && !Number.isNaN(b.number);
  if (numeric) return direction * (a.number - b.number);
  // Text stays below the numbers in both directions.
  if (!Number.isNaN(a.number)) return -1;
  if (!Number.isNaN(b.number)) return 1;
  return direction * a.text.localeCompare(b.text);
}

function sortBy(table, column) {
  const header = table.tHead.rows[0].cells[column];
  const numeric = header.classList.contains("number");
  const before = header.getAttribute("aria-sort");
  const falling = before ? before === "ascending" : numeric;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].map((row) => [sortKey(row, column), row]);
    rows.sort(([a], [b]) => compareKeys(a, b, falling ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
  }
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(table, column));
    header.append(button);
  });
}

function makeFilter(input) {
  const table = document.getElementById(input.dataset.filters);
  const count = document.querySelector(`[data-count="${input.dataset.filters}"]`);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    count.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("input[data-filters]").forEach(makeFilter);
