"""JSON that cannot be used, as text, by what is wrong with it."""

RAW = {
    "nested too deeply": "[" * 100_000 + "]" * 100_000,
    "nested deeply": '{"a":' * 500 + "1" + "}" * 500,
    "half a character": '"Kari\\ud800"',
    "character 0": '"Kari\\u0000"',
    "a huge exponent": "1e99999999999999999999",
    "a tiny exponent": "-1E-99999999999999999999",
    "a huge number": "1e999999999",
    "thousands of digits": "9" * 5000,
    "not a number": "NaN",
    "infinity": "-Infinity",
}
