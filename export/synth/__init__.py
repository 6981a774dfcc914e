"""From rendered Verilog to a netlist, a placed and routed design and a bitstream, with open tools.

Yosys, nextpnr and ecppack come as Python wheels. Each stage leaves its result and the digest of
what it was made from, so a run that is interrupted or repeated does only what is missing.
"""
