"""Machine code by LLVM, and its cache on disk."""
