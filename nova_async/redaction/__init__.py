"""What must not be written down: the values of named variables, and texts of a known shape, taken out of a stream."""

from nova_async.redaction.rules import check_rule, check_rules
from nova_async.redaction.secrets import MARK, Redaction, redaction_of, without_effect
from nova_async.redaction.stream import Redactor

__all__ = ["MARK", "Redaction", "Redactor", "check_rule", "check_rules", "redaction_of", "without_effect"]
