"""What the router wants done."""

from voice_node.model.control import Control
from voice_node.model.report import Report

Action = Report | Control
"""A report goes to the bridge, a control to the stage that it names."""
