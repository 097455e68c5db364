"""The lab: an experiment declared as a frozen object, planned for this machine, then run by a child process.

No torch: spec, plan, rules, corpus, commands. Torch, only ever inside a child process: model, device, train,
checkpoint, calibrate, selftest, child.
"""
