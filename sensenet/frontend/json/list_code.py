"""Machine code that reads lists of numbers from JSON text, as a module of LLVM's language.

`measure` counts, and finds the sizes of nested lists; `read` then checks each byte against these sizes, and
writes the numbers. Lists with a number that is undecided (`number_code`) are left to another parser.
"""

from __future__ import annotations

from sensenet.frontend.json.number_code import number_code

MOST_DEPTH = 8
"""The deepest nesting; `first` of `measure` has one more entry."""


def list_code() -> str:
    """Return the module: `measure` and `read`, as `machine_code_reader` declares them."""
    return number_code() + READ + MEASURE


READ = """\
; Returns how many lists begin before the number at an index, or end after the number before it.
define internal i64 @boundaries(i64 %index, ptr %sizes, i64 %depth) {
entry:
  br label %test
test:
  %level = phi i64 [ %depth, %entry ], [ %level_next, %ends ]
  %count = phi i64 [ 0, %entry ], [ %count_next, %ends ]
  %outside = icmp eq i64 %level, 0
  br i1 %outside, label %done, label %look
look:
  %at = getelementptr i64, ptr %sizes, i64 %level
  %size = load i64, ptr %at
  %rest = urem i64 %index, %size
  %divides = icmp eq i64 %rest, 0
  br i1 %divides, label %ends, label %done
ends:
  %level_next = sub i64 %level, 1
  %count_next = add i64 %count, 1
  br label %test
done:
  ret i64 %count
}

; Returns the end of so many brackets, with white space between them; null for other text.
define internal ptr @brackets(ptr %from, ptr %end, i64 %count, i8 %bracket) {
entry:
  br label %test
test:
  %p = phi ptr [ %from, %entry ], [ %next, %step ]
  %left = phi i64 [ %count, %entry ], [ %left_next, %step ]
  %is_done = icmp eq i64 %left, 0
  br i1 %is_done, label %done, label %look
look:
  %at = call ptr @skip_space(ptr %p, ptr %end)
  %byte = call i8 @byte(ptr %at, ptr %end)
  %fits = icmp eq i8 %byte, %bracket
  br i1 %fits, label %step, label %wrong
step:
  %next = getelementptr i8, ptr %at, i64 1
  %left_next = sub i64 %left, 1
  br label %test
done:
  ret ptr %p
wrong:
  ret ptr null
}

; Writes the numbers from an index up to another, and returns the end of their text: after the comma, if
; there are more of the %total. Null for text that is not such lists, or undecided. %sizes has the numbers
; in a list of each depth, from 1 on.
define ptr @read(ptr %from, ptr %end, i64 %index, i64 %stop, i64 %total, ptr %sizes, i64 %depth,
                 ptr %results) {
entry:
  %innermost_at = getelementptr i64, ptr %sizes, i64 %depth
  %innermost = load i64, ptr %innermost_at
  %phase = urem i64 %index, %innermost
  br label %begin
begin:
  %p = phi ptr [ %from, %entry ], [ %p_next, %go_on ]
  %i = phi i64 [ %index, %entry ], [ %i_next, %go_on ]
  %in_list = phi i64 [ %phase, %entry ], [ %in_list_next, %go_on ]
  %is_first = icmp eq i64 %in_list, 0
  br i1 %is_first, label %open, label %value
open:
  %opening = call i64 @boundaries(i64 %i, ptr %sizes, i64 %depth)
  %opened = call ptr @brackets(ptr %p, ptr %end, i64 %opening, i8 91)
  %opens = icmp ne ptr %opened, null
  br i1 %opens, label %value, label %undecided
value:
  %before = phi ptr [ %p, %begin ], [ %opened, %open ]
  %number_at = call ptr @skip_space(ptr %before, ptr %end)
  %result = getelementptr float, ptr %results, i64 %i
  %number_end = call ptr @number(ptr %number_at, ptr %end, ptr %result)
  %is_number = icmp ne ptr %number_end, null
  br i1 %is_number, label %after, label %undecided
after:
  %i_next = add i64 %i, 1
  %in_list_more = add i64 %in_list, 1
  %is_last = icmp eq i64 %in_list_more, %innermost
  br i1 %is_last, label %close, label %separate
close:
  %closing = call i64 @boundaries(i64 %i_next, ptr %sizes, i64 %depth)
  %closed = call ptr @brackets(ptr %number_end, ptr %end, i64 %closing, i8 93)
  %closes = icmp ne ptr %closed, null
  br i1 %closes, label %separate, label %undecided
separate:
  %value_end = phi ptr [ %number_end, %after ], [ %closed, %close ]
  %in_list_next = phi i64 [ %in_list_more, %after ], [ 0, %close ]
  %is_end = icmp eq i64 %i_next, %total
  br i1 %is_end, label %finish, label %comma
comma:
  %comma_at = call ptr @skip_space(ptr %value_end, ptr %end)
  %byte = call i8 @byte(ptr %comma_at, ptr %end)
  %is_comma = icmp eq i8 %byte, 44
  br i1 %is_comma, label %go_on, label %undecided
go_on:
  %p_next = getelementptr i8, ptr %comma_at, i64 1
  %is_part_end = icmp eq i64 %i_next, %stop
  br i1 %is_part_end, label %done, label %begin
finish:
  ret ptr %value_end
done:
  ret ptr %p_next
undecided:
  ret ptr null
}
"""

MEASURE = f"""\
declare i64 @llvm.ctpop.i64(i64)

; Continues to measure nested lists: %state has the numbers so far less one, the depth, and the greatest
; depth; %first the numbers up to the end of the first list of each depth, or 0. Returns 0 if the depth
; leaves 1 to {MOST_DEPTH}, which ends the work.
define i64 @measure(ptr %text, i64 %size, ptr %state, ptr %first) {{
entry:
  %depth_at = getelementptr i64, ptr %state, i64 1
  %greatest_at = getelementptr i64, ptr %state, i64 2
  %commas0 = load i64, ptr %state
  %depth0 = load i64, ptr %depth_at
  %greatest0 = load i64, ptr %greatest_at
  br label %blocks
blocks:
  %offset = phi i64 [ 0, %entry ], [ %block_end, %quick ], [ %next, %stepped ]
  %commas = phi i64 [ %commas0, %entry ], [ %commas_quick, %quick ], [ %commas_next, %stepped ]
  %depth = phi i64 [ %depth0, %entry ], [ %depth, %quick ], [ %depth_next, %stepped ]
  %greatest = phi i64 [ %greatest0, %entry ], [ %greatest, %quick ], [ %greatest_next, %stepped ]
  %block_end = add i64 %offset, 64
  %fits = icmp ule i64 %block_end, %size
  br i1 %fits, label %block, label %bytes
block:
  %block_at = getelementptr i8, ptr %text, i64 %offset
  %block_bytes = load <64 x i8>, ptr %block_at, align 1
  %is_open = icmp eq <64 x i8> %block_bytes, splat (i8 91)
  %is_closed = icmp eq <64 x i8> %block_bytes, splat (i8 93)
  %is_bracket = or <64 x i1> %is_open, %is_closed
  %brackets = bitcast <64 x i1> %is_bracket to i64
  %has_none = icmp eq i64 %brackets, 0
  br i1 %has_none, label %quick, label %bytes
quick:
  %is_comma = icmp eq <64 x i8> %block_bytes, splat (i8 44)
  %comma_bits = bitcast <64 x i1> %is_comma to i64
  %comma_count = call i64 @llvm.ctpop.i64(i64 %comma_bits)
  %commas_quick = add i64 %commas, %comma_count
  br label %blocks
bytes:
  %is_over = icmp eq i64 %offset, %size
  br i1 %is_over, label %done, label %byte
byte:
  %at = getelementptr i8, ptr %text, i64 %offset
  %next = add i64 %offset, 1
  %value = load i8, ptr %at
  switch i8 %value, label %stepped [ i8 44, label %comma i8 91, label %open i8 93, label %close ]
comma:
  %commas_more = add i64 %commas, 1
  br label %stepped
open:
  %deeper = add i64 %depth, 1
  %is_greater = icmp ugt i64 %deeper, %greatest
  %greatest_open = select i1 %is_greater, i64 %deeper, i64 %greatest
  %too_deep = icmp ugt i64 %deeper, {MOST_DEPTH}
  br i1 %too_deep, label %wrong, label %stepped
close:
  %less_deep = sub i64 %depth, 1
  %is_outside = icmp eq i64 %depth, 0
  br i1 %is_outside, label %wrong, label %closed
closed:
  %first_at = getelementptr i64, ptr %first, i64 %depth
  %known = load i64, ptr %first_at
  %is_new = icmp eq i64 %known, 0
  %numbers = add i64 %commas, 1
  %kept = select i1 %is_new, i64 %numbers, i64 %known
  store i64 %kept, ptr %first_at
  br label %stepped
stepped:
  %commas_next = phi i64 [ %commas, %byte ], [ %commas_more, %comma ], [ %commas, %open ],
                         [ %commas, %closed ]
  %depth_next = phi i64 [ %depth, %byte ], [ %depth, %comma ], [ %deeper, %open ],
                        [ %less_deep, %closed ]
  %greatest_next = phi i64 [ %greatest, %byte ], [ %greatest, %comma ], [ %greatest_open, %open ],
                           [ %greatest, %closed ]
  br label %blocks
done:
  store i64 %commas, ptr %state
  store i64 %depth, ptr %depth_at
  store i64 %greatest, ptr %greatest_at
  ret i64 1
wrong:
  ret i64 0
}}
"""
