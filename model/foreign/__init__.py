"""The files of other programs: weights in the layouts of GPT-2, Llama and llama2.c."""
