"""What tests share: documents, strategies, references, and what starts other programs.

`strategies` lists everything that hypothesis draws; `documents` has small documents by hand; `conformance`
finds the recorded cases; `op_cases` has cases of every op, and `op_references` slow answers to compare with;
`check_pass` compares a graph before and after a pass; `golden` reads the cases in `tests/passes/*.ir`;
`processes` runs code in another Python, which imports from here and never from a test module.
"""
