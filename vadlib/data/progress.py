"""One progress bar for everything that takes time: a widget in a live notebook, text elsewhere."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tqdm warns in every notebook without ipywidgets, and then works without
    from tqdm.auto import tqdm


def progress_bar(total: int | None, description: str, unit: str, *, shown: bool, delay_s: float = 0.0) -> tqdm:
    """Make a bar that leaves nothing behind when it is done; it appears once `delay_s` seconds have passed."""
    return tqdm(
        total=total,
        desc=description,
        unit=f" {unit}",
        disable=not shown,
        leave=False,
        mininterval=0.5,
        delay=delay_s,
        dynamic_ncols=True,
    )
