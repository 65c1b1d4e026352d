"""The name under which a package index has dfbench; `dfbench` itself is another project there."""

DISTRIBUTION = "dfbench-sbir"


def install_command(extra: str) -> str:
    """The command that installs dfbench with what one of its extras needs.

    >>> print(install_command("ray"))
    pip install 'dfbench-sbir[ray]'
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"
