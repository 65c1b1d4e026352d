"""Computing a plugin's metric, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from dfbench.errors import PluginFault
from dfbench.evaluation.definitions import view
from dfbench.plugins.code import describe_fault, plugin_code
from dfbench.process.messages import JOB_FILE, Outcome
from dfbench.process.metrics import VALUES_FILE, ScoringJob, read_ranked, value_error


def score(folder: Path) -> Outcome:
    """Compute the metric of a job for all batches.

    Raises `PluginFault`, naming the metric and its plugin, if it fails or returns something else
    than one value per query.
    """
    job = ScoringJob.model_validate_json((folder / JOB_FILE).read_text())
    offer, found = job.metric, []
    function, spec = offer.load(), offer.spec
    for file in job.batches:
        ranked = read_ranked(file)
        try:
            with plugin_code():
                values = function(view(spec, ranked), **offer.parameters)
        except Exception as fault:  # a plugin may raise anything
            raise PluginFault(f"{offer} raised {describe_fault(fault)}") from fault
        error = value_error(values, len(ranked.rows))
        if error:
            raise PluginFault(f"{offer}: {error}")
        found.append(values.detach().double().cpu())
    save_file({"values": torch.cat(found)}, folder / VALUES_FILE)
    return Outcome()
