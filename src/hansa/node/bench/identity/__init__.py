"""`hansa bench identity`: credentials, DIDs and evidence, and others' software beside ours."""
