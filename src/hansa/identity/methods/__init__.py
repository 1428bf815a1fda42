"""DID methods: from a decentralised identifier to the keys that speak for it."""
