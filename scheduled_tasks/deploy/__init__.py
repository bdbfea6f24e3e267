"""The deploy room: jobs in, unit files out, and onto the machine.

names and escape are the one home of unit names and of the escaping of values; render is pure and returns texts;
apply alone touches the machine.
"""
