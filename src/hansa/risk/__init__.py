"""Risk control: features as of a payment's moment, rules, models, lists, and a decision of them."""
