"""verl's dataset, whose errors name the row: plug point `data.custom_cls`."""

from __future__ import annotations

import logging
from typing import Any

from PIL import Image
from verl.utils.dataset.rl_dataset import RLHFDataset

logger = logging.getLogger(__name__)


class NamedRows(RLHFDataset):
    def maybe_filter_out_long_prompts(self, dataframe: Any = None) -> Any:
        """verl's filter also drops rows that it cannot read, and says so in its traceback alone."""
        kept = super().maybe_filter_out_long_prompts(dataframe)
        if out := len(dataframe) - len(kept):
            logger.warning(
                "%d of %d rows are left out: their prompts are over data.max_prompt_length=%d, or could not be read "
                "(`python -m data_prep check FILE --processor MODEL` names which)",
                *(out, len(dataframe), self.max_prompt_length),
            )
        return kept

    def __getitem__(self, item: int) -> dict[str, Any]:
        try:
            row = super().__getitem__(item)
            for message in row["raw_prompt"]:
                parts = message["content"] if isinstance(message["content"], list) else []
                for image in (part.get("image") for part in parts):
                    if isinstance(image, Image.Image):
                        # verl decodes it when it sends the row away, where nothing knows which row that was.
                        image.load()
        except Exception as error:
            raise ValueError(
                f"{self._name(item)} cannot be made a prompt: {type(error).__name__}: {error}. "
                "Mend or drop the row (`python -m data_prep check FILE` finds all such rows), then resume"
            ) from error
        return row

    def _name(self, item: int) -> str:
        known = self.dataframe.select_columns(["data_source", "extra_info"])[item]
        index = (known["extra_info"] or {}).get("index")
        files = ", ".join(str(file) for file in self.original_data_files)
        return f"row {item} of {files} ({known['data_source']}/{index})"
