"""What came of computing numbers again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reproduction:
    """What came of computing receipts and project metrics again.

    Attributes:
        checked: Receipts that were looked at.
        equal: Those that came out the same in every field.
        project_metrics_checked: Project metrics that were looked at.
        project_metrics_equal: Those that came out the same in every field.
        different: One entry per row and field that differs.
        failed: Computations that could not be repeated, with the reason.
        notes: What has changed since without being a fault, e.g. the code.
    """

    checked: int = 0
    equal: int = 0
    project_metrics_checked: int = 0
    project_metrics_equal: int = 0
    different: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def faithful(self) -> bool:
        """Whether everything came out the same."""
        return not self.different and not self.failed

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return {
            "checked": self.checked,
            "equal": self.equal,
            "project_metrics_checked": self.project_metrics_checked,
            "project_metrics_equal": self.project_metrics_equal,
            "different": self.different,
            "failed": self.failed,
            "notes": self.notes,
        }
