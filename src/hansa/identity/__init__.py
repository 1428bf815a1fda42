"""Identity off the ledger: keys, credentials, presentations, status lists, DIDs.

Everything here reads bytes that strangers wrote. What does not hold is `faults.Unsound`, an
`Invalid` with a `Fault`; nothing else is ever raised for input, and nothing is fetched from a
network unless the caller hands over the means. Time and chance come in as arguments.
"""
