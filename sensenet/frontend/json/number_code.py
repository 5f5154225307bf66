"""Machine code that reads a number from JSON text, in LLVM's language.

A decimal becomes the nearest float64 by Eisel and Lemire's method, as in D. Lemire, "Number parsing at a
gigabyte per second", Software: Practice and Experience 51 (2021), and then the nearest float32. Undecided are
decimals of more than 19 digits, integers of more than 18, exponents beyond `EXPONENTS`, and numbers that are
not normal in float64.

The code reads eight digits at once, the first in the lowest byte: it is for little-endian processors.
"""

from __future__ import annotations

EXPONENTS = range(-96, 65)
"""The powers of ten that are in the table, of a number without its point: 0.25 is 25 · 10⁻²."""


def number_code() -> str:
    """Return the functions, and the table of powers that they read."""
    powers = ", ".join(f"[2 x i64] [i64 {high}, i64 {low}]" for high, low in map(_power_of_five, EXPONENTS))
    table = f"@powers = internal constant [{len(EXPONENTS)} x [2 x i64]] [{powers}]\n"
    return table + SPACE + DIGITS + FLOAT + NUMBER


def _power_of_five(exponent: int) -> tuple[int, int]:
    """Return the 128 highest bits of 5 to this power, as two numbers; rounded up if it is negative."""
    power = 5 ** abs(exponent)
    if exponent >= 0:
        shift = 128 - power.bit_length()
        bits = power << shift if shift >= 0 else power >> -shift
    else:
        bits = (1 << (power.bit_length() + 127)) // power + 1
    return _signed(bits >> 64), _signed(bits & (2**64 - 1))


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >= 2**63 else bits


SPACE = """\
; Returns the first byte that is not white space.
define internal ptr @skip_space(ptr %from, ptr %end) alwaysinline {
entry:
  br label %test
test:
  %p = phi ptr [ %from, %entry ], [ %next, %step ]
  %inside = icmp ult ptr %p, %end
  br i1 %inside, label %look, label %done
look:
  %byte = load i8, ptr %p
  switch i8 %byte, label %done [ i8 32, label %step i8 9, label %step i8 10, label %step
                                 i8 13, label %step ]
step:
  %next = getelementptr i8, ptr %p, i64 1
  br label %test
done:
  ret ptr %p
}

; Returns the byte at a pointer, or 0 at the end.
define internal i8 @byte(ptr %p, ptr %end) alwaysinline {
entry:
  %inside = icmp ult ptr %p, %end
  br i1 %inside, label %look, label %done
look:
  %byte = load i8, ptr %p
  ret i8 %byte
done:
  ret i8 0
}
"""

DIGITS = f"""\
@tens = internal constant [8 x i64] [{", ".join(f"i64 {10**n}" for n in range(8))}]

declare i64 @llvm.cttz.i64(i64, i1)

; Returns the number of eight digits.
define internal i64 @eight_digits(i64 %bytes) alwaysinline {{
entry:
  %values = sub i64 %bytes, {0x3030303030303030}
  %tens = mul i64 %values, 10
  %ones = lshr i64 %values, 8
  %pairs = add i64 %tens, %ones
  %first = and i64 %pairs, {0x000000FF000000FF}
  %first4 = mul i64 %first, {100 + (1000000 << 32)}
  %shifted = lshr i64 %pairs, 16
  %second = and i64 %shifted, {0x000000FF000000FF}
  %second4 = mul i64 %second, {1 + (10000 << 32)}
  %sum = add i64 %first4, %second4
  %number = lshr i64 %sum, 32
  ret i64 %number
}}

; Returns the end of the digits, and the number that they continue, modulo 2 to the 64.
define internal {{ ptr, i64 }} @digits(ptr %from, ptr %end, i64 %number) alwaysinline {{
entry:
  br label %eight
eight:
  %p = phi ptr [ %from, %entry ], [ %after, %all ]
  %m = phi i64 [ %number, %entry ], [ %m8, %all ]
  %after = getelementptr i8, ptr %p, i64 8
  %fits = icmp ule ptr %after, %end
  br i1 %fits, label %load, label %one
load:
  %bytes = load i64, ptr %p, align 1
  %raised = add i64 %bytes, {0x0606060606060606}           ; a byte above '9' leaves 0x3_
  %a = and i64 %bytes, {_signed(0xF0F0F0F0F0F0F0F0)}
  %b = and i64 %raised, {_signed(0xF0F0F0F0F0F0F0F0)}
  %c = lshr i64 %b, 4
  %kinds = or i64 %a, %c
  %others = xor i64 %kinds, {0x3333333333333333}           ; its lowest bit is in the first other byte
  %is_all = icmp eq i64 %others, 0
  br i1 %is_all, label %all, label %some
all:
  %next8 = call i64 @eight_digits(i64 %bytes)
  %scaled8 = mul i64 %m, 100000000
  %m8 = add i64 %scaled8, %next8
  br label %eight
some:                                                   ; as eight digits, with zeros before them
  %bit = call i64 @llvm.cttz.i64(i64 %others, i1 true)
  %count = lshr i64 %bit, 3
  %bits = and i64 %bit, 56
  %left = sub i64 56, %bits
  %shifted7 = shl i64 %bytes, %left
  %shifted8 = shl i64 %shifted7, 8
  %zeros = lshr i64 {0x3030303030303030}, %bits
  %padded = or i64 %shifted8, %zeros
  %next = call i64 @eight_digits(i64 %padded)
  %ten_at = getelementptr [8 x i64], ptr @tens, i64 0, i64 %count
  %ten = load i64, ptr %ten_at
  %scaled = mul i64 %m, %ten
  %sum = add i64 %scaled, %next
  %stop = getelementptr i8, ptr %p, i64 %count
  br label %done
one:                                                    ; near the end of the text
  %q = phi ptr [ %p, %eight ], [ %following, %take ]
  %k = phi i64 [ %m, %eight ], [ %k_more, %take ]
  %byte = call i8 @byte(ptr %q, ptr %end)
  %value = sub i8 %byte, 48
  %is_digit = icmp ult i8 %value, 10
  br i1 %is_digit, label %take, label %done
take:
  %following = getelementptr i8, ptr %q, i64 1
  %ten_times = mul i64 %k, 10
  %wide = zext i8 %value to i64
  %k_more = add i64 %ten_times, %wide
  br label %one
done:
  %last = phi ptr [ %stop, %some ], [ %q, %one ]
  %result = phi i64 [ %sum, %some ], [ %k, %one ]
  %half = insertvalue {{ ptr, i64 }} poison, ptr %last, 0
  %both = insertvalue {{ ptr, i64 }} %half, i64 %result, 1
  ret {{ ptr, i64 }} %both
}}
"""

FLOAT = f"""\
declare i64 @llvm.ctlz.i64(i64, i1)

; Returns the bits of number · 10^exponent as float64, and whether they are decided. The number is not 0.
define internal {{ i64, i1 }} @nearest(i64 %number, i64 %exponent) alwaysinline {{
entry:
  %index = sub i64 %exponent, {EXPONENTS.start}
  %known = icmp ult i64 %index, {len(EXPONENTS)}
  br i1 %known, label %multiply, label %undecided
multiply:
  %zeros = call i64 @llvm.ctlz.i64(i64 %number, i1 true)
  %left = shl i64 %number, %zeros
  %entry_high = getelementptr [{len(EXPONENTS)} x [2 x i64]], ptr @powers, i64 0, i64 %index, i64 0
  %power_high = load i64, ptr %entry_high
  %wide = zext i64 %left to i128
  %wide_high = zext i64 %power_high to i128
  %product1 = mul i128 %wide, %wide_high
  %low1 = trunc i128 %product1 to i64
  %shifted1 = lshr i128 %product1, 64
  %high1 = trunc i128 %shifted1 to i64
  %masked = and i64 %high1, 511
  %is_close = icmp eq i64 %masked, 511                  ; the lower half of the power may carry up to here
  br i1 %is_close, label %refine, label %round
refine:
  %entry_low = getelementptr [{len(EXPONENTS)} x [2 x i64]], ptr @powers, i64 0, i64 %index, i64 1
  %power_low = load i64, ptr %entry_low
  %wide_low = zext i64 %power_low to i128
  %product2 = mul i128 %wide, %wide_low
  %shifted2 = lshr i128 %product2, 64
  %high2 = trunc i128 %shifted2 to i64
  %low2 = add i64 %low1, %high2
  %carries = icmp ugt i64 %high2, %low2
  %carry = zext i1 %carries to i64
  %high3 = add i64 %high1, %carry
  br label %round
round:
  %high = phi i64 [ %high1, %multiply ], [ %high3, %refine ]
  %low = phi i64 [ %low1, %multiply ], [ %low2, %refine ]
  %is_unsure = icmp eq i64 %low, -1
  br i1 %is_unsure, label %undecided, label %shift
shift:
  %upper = lshr i64 %high, 63
  %distance = add i64 %upper, 9
  %mantissa0 = lshr i64 %high, %distance                ; 54 bits: one more than float64 has
  %scaled = mul i64 %exponent, 217706                   ; 65536 · log2(10)
  %whole = ashr i64 %scaled, 16
  %biased = add i64 %whole, 1086                        ; 63 + 1023
  %raised = add i64 %biased, %upper
  %power2 = sub i64 %raised, %zeros
  ; A tie needs a power of five in 64 bits: it is rounded to even.
  %is_exact = icmp ule i64 %low, 1
  %from_least = add i64 %exponent, 4
  %in_range = icmp ult i64 %from_least, 28
  %lowest = and i64 %mantissa0, 3
  %is_even = icmp eq i64 %lowest, 1
  %back = shl i64 %mantissa0, %distance
  %is_all = icmp eq i64 %back, %high
  %tie1 = and i1 %is_exact, %in_range
  %tie2 = and i1 %is_even, %is_all
  %is_tie = and i1 %tie1, %tie2
  %half = and i64 %mantissa0, 1
  %up = select i1 %is_tie, i64 0, i64 %half
  %cleared = xor i64 %mantissa0, %half
  %doubled = add i64 %up, %up
  %sum = add i64 %cleared, %doubled
  %mantissa = lshr i64 %sum, 1
  %overflows = lshr i64 %mantissa, 53                   ; then the lower bits are 0
  %power = add i64 %power2, %overflows
  %fraction = and i64 %mantissa, 4503599627370495       ; 52 bits
  %field = shl i64 %power, 52
  %bits = or i64 %fraction, %field
  %from_one = sub i64 %power, 1
  %is_normal = icmp ult i64 %from_one, 2046
  %result = insertvalue {{ i64, i1 }} poison, i64 %bits, 0
  %both = insertvalue {{ i64, i1 }} %result, i1 %is_normal, 1
  ret {{ i64, i1 }} %both
undecided:
  ret {{ i64, i1 }} zeroinitializer
}}
"""

NUMBER = """\
; Writes the number at a pointer, and returns its end; null if the text is not a number or undecided.
define internal ptr @number(ptr %from, ptr %end, ptr %result) alwaysinline {
entry:
  %byte0 = call i8 @byte(ptr %from, ptr %end)
  %is_negative = icmp eq i8 %byte0, 45
  %sign_length = zext i1 %is_negative to i64
  %start = getelementptr i8, ptr %from, i64 %sign_length
  %start_next = getelementptr i8, ptr %start, i64 1
  %start_byte = call i8 @byte(ptr %start, ptr %end)
  %start_next_byte = call i8 @byte(ptr %start_next, ptr %end)
  %start_value = sub i8 %start_byte, 48
  %start_is_digit = icmp ult i8 %start_value, 10
  %is_before_point = icmp eq i8 %start_next_byte, 46
  %has_one_digit = and i1 %start_is_digit, %is_before_point
  br i1 %has_one_digit, label %one_digit, label %digits
one_digit:                                              ; nearly always: the next number need not wait
  %one_number = zext i8 %start_value to i64
  br label %whole
digits:
  %whole_part = call { ptr, i64 } @digits(ptr %start, ptr %end, i64 0)
  %digits_end = extractvalue { ptr, i64 } %whole_part, 0
  %digits_number = extractvalue { ptr, i64 } %whole_part, 1
  br label %whole
whole:
  %whole_end = phi ptr [ %start_next, %one_digit ], [ %digits_end, %digits ]
  %whole_number = phi i64 [ %one_number, %one_digit ], [ %digits_number, %digits ]
  %start_address = ptrtoint ptr %start to i64
  %whole_address = ptrtoint ptr %whole_end to i64
  %whole_length = sub i64 %whole_address, %start_address
  %has_none = icmp eq i64 %whole_length, 0
  br i1 %has_none, label %undecided, label %leading
leading:
  %byte1 = load i8, ptr %start
  %is_zero = icmp eq i8 %byte1, 48
  %is_long = icmp ugt i64 %whole_length, 1
  %is_wrong = and i1 %is_zero, %is_long
  br i1 %is_wrong, label %undecided, label %point
point:
  %byte2 = call i8 @byte(ptr %whole_end, ptr %end)
  %has_point = icmp eq i8 %byte2, 46
  br i1 %has_point, label %fraction, label %exponent
fraction:
  %part_start = getelementptr i8, ptr %whole_end, i64 1
  %part = call { ptr, i64 } @digits(ptr %part_start, ptr %end, i64 %whole_number)
  %part_end = extractvalue { ptr, i64 } %part, 0
  %part_number = extractvalue { ptr, i64 } %part, 1
  %part_start_address = ptrtoint ptr %part_start to i64
  %part_address = ptrtoint ptr %part_end to i64
  %part_length = sub i64 %part_address, %part_start_address
  %has_digits = icmp ne i64 %part_length, 0
  %has_eight = icmp ugt i64 %part_length, 7
  br i1 %has_eight, label %long, label %short
short:
  br i1 %has_digits, label %exponent, label %undecided
long:                                                   ; count zeros after 0. without a branch
  %part_bytes = load i64, ptr %part_start, align 1
  %part_others = xor i64 %part_bytes, 3472328296227680304
  %part_bit = call i64 @llvm.cttz.i64(i64 %part_others, i1 false)
  %part_zeros = lshr i64 %part_bit, 3
  %part_skipped = add i64 %part_zeros, 1
  %some_skipped = select i1 %is_zero, i64 %part_skipped, i64 0
  br label %exponent
exponent:
  %q = phi ptr [ %whole_end, %point ], [ %part_end, %short ], [ %part_end, %long ]
  %m = phi i64 [ %whole_number, %point ], [ %part_number, %short ], [ %part_number, %long ]
  %places = phi i64 [ 0, %point ], [ %part_length, %short ], [ %part_length, %long ]
  %skipped_zeros = phi i64 [ 0, %point ], [ 0, %short ], [ %some_skipped, %long ]
  %byte3 = call i8 @byte(ptr %q, ptr %end)
  %lower = or i8 %byte3, 32
  %has_exponent = icmp eq i8 %lower, 101
  br i1 %has_exponent, label %power, label %count
power:
  %sign_at = getelementptr i8, ptr %q, i64 1
  %byte4 = call i8 @byte(ptr %sign_at, ptr %end)
  %is_minus = icmp eq i8 %byte4, 45
  %is_plus = icmp eq i8 %byte4, 43
  %is_signed = or i1 %is_minus, %is_plus
  %skipped = zext i1 %is_signed to i64
  %power_start = getelementptr i8, ptr %sign_at, i64 %skipped
  %power_digits = call { ptr, i64 } @digits(ptr %power_start, ptr %end, i64 0)
  %power_end = extractvalue { ptr, i64 } %power_digits, 0
  %power_number = extractvalue { ptr, i64 } %power_digits, 1
  %power_start_address = ptrtoint ptr %power_start to i64
  %power_address = ptrtoint ptr %power_end to i64
  %power_length = sub i64 %power_address, %power_start_address
  %from_one = sub i64 %power_length, 1
  %is_short = icmp ult i64 %from_one, 4
  %negated = sub i64 0, %power_number
  %power_value = select i1 %is_minus, i64 %negated, i64 %power_number
  br i1 %is_short, label %count, label %undecided
count:
  %last = phi ptr [ %q, %exponent ], [ %power_end, %power ]
  %given = phi i64 [ 0, %exponent ], [ %power_value, %power ]
  %ten = sub i64 %given, %places
  %length = add i64 %whole_length, %places
  %significant = sub i64 %length, %skipped_zeros
  %is_exact = icmp ule i64 %significant, 19
  br i1 %is_exact, label %kind, label %zeros
zeros:                                                  ; all zeros before the first other digit
  %z = phi ptr [ %start, %count ], [ %z_next, %zero ]
  %left = phi i64 [ %length, %count ], [ %left_next, %zero ]
  %byte5 = call i8 @byte(ptr %z, ptr %end)
  %is_dot = icmp eq i8 %byte5, 46
  %is_nought = icmp eq i8 %byte5, 48
  %goes_on = or i1 %is_dot, %is_nought
  br i1 %goes_on, label %zero, label %counted
zero:
  %z_next = getelementptr i8, ptr %z, i64 1
  %taken = zext i1 %is_nought to i64
  %left_next = sub i64 %left, %taken
  br label %zeros
counted:
  %fits = icmp ule i64 %left, 19
  br i1 %fits, label %kind, label %undecided
kind:
  %is_nothing = icmp eq i64 %m, 0
  br i1 %is_nothing, label %nothing, label %some
nothing:                                                ; the integer -0 is 0, but -0.0 is not
  %is_decimal = or i1 %has_point, %has_exponent
  %keeps_sign = and i1 %is_decimal, %is_negative
  %zero_value = select i1 %keeps_sign, float -0.0, float 0.0
  store float %zero_value, ptr %result
  ret ptr %last
some:
  %is_fractional = or i1 %has_point, %has_exponent
  %is_small = icmp ult i64 %whole_length, 19
  %is_safe = or i1 %is_fractional, %is_small
  br i1 %is_safe, label %convert, label %undecided
convert:
  %nearest = call { i64, i1 } @nearest(i64 %m, i64 %ten)
  %decided = extractvalue { i64, i1 } %nearest, 1
  br i1 %decided, label %store, label %undecided
store:
  %magnitude = extractvalue { i64, i1 } %nearest, 0
  %sign = shl i64 %sign_length, 63
  %bits = or i64 %magnitude, %sign
  %double = bitcast i64 %bits to double
  %single = fptrunc double %double to float
  store float %single, ptr %result
  ret ptr %last
undecided:
  ret ptr null
}
"""
