"""The scales that tables and answers are in, by name, and what each amounts to."""

from __future__ import annotations

from typing import Final

FACTORS: Final = {"thousand": 1e3, "ten thousand": 1e4, "million": 1e6, "hundred million": 1e8, "billion": 1e9}
