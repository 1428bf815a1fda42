"""What routes answer, by what they are about; `hansa.node.api.table` has all of them."""
