"""docs/operating.md names every series that a service has, and none that there is not."""

import re

from prometheus_client import REGISTRY

from deploy.local.children import ROOT
from libs.bus import metrics as of_bus
from libs.runtime import metrics as of_runtime
from services.gateway.http import metrics as of_gateway
from services.gateway.limits import metrics as of_limits
from services.retrieval import metrics as of_retrieval
from services.runner import metrics as of_runner
from services.webhook_dispatcher import metrics as of_webhooks

# Importing them declares their series.
__all__ = ["of_bus", "of_gateway", "of_limits", "of_retrieval", "of_runner", "of_runtime", "of_webhooks"]


def test_every_series_is_on_the_page_with_what_it_means():
    page = (ROOT / "docs" / "operating.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    families = REGISTRY.collect()
    there = {each.name + "_total" * (each.type == "counter") for each in families if each.name.startswith("polyvox_")}
    assert set(re.findall(r"^\| `(polyvox_\w+)`", page, flags=re.MULTILINE)) == there
