"""The doctor: looks a data folder and its machine over; says what is wrong and how to mend it.

It changes nothing and works whether the node runs or not. One finding never hides another.
"""
