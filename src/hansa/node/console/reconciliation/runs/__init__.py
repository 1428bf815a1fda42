"""The pages about reconciliations of files: results that lie in a folder of the node's machine."""
