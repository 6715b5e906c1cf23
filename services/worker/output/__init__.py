"""What a model's output means: which of it is thought, which a call of a tool, which the answer. Decided here alone.

reading       the one entry: from a prompt to a parser, and to what binds the output
choosing      which format, by the parser that a config names or by the template
formats       the table of all formats
sections, messages                                    the two machines that read a stream
json_calls, tagged_calls, named_calls, python_calls, brace_calls, name_scan, harmony, glimmer
                                                      the notations of a call
scanning, bodies, parameters, literals, typed_values, json_text, tools
                                                      what those are made of
"""
