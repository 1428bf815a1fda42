"""Features of a payment as of its moment: windows, ages, habits and what became known since."""
