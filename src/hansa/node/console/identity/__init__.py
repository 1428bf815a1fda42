"""Pages about identity: types of credentials, who may issue them, and DIDs with their past."""
