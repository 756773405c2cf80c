"""No word of a description is lost when its markup is removed."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_powerofficego.dataflow.descriptions import plain_text


@given(html=st.text())
def test_text_without_markup_keeps_its_words(html):
    if "<" not in html and "&" not in html:
        assert plain_text(html) == html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("L&#x27;Oreal", "L'Oreal"),
        ("L&#X27;Or&eacute;al", "L'Oréal"),
        ("str. <M, 2 < 3 og mer", "str. <M, 2 < 3 og mer"),
        ("str. <M, tåler <b>30</b> grader", "str. <M, tåler 30 grader"),
        ("5 <b>eller</b> <br/>mer", "5 eller\nmer"),
        ('<a href="https://x.example/?a=1">Les</a> a<b=c', "Les a<b=c"),
        ("<div>" * 500 + "Dypt <i>nede</i>" + "</div>" * 500, "Dypt nede"),
        ("<p>halv \ud83d</p>", "halv \ud83d"),
        ("<!-- skjult --><style>p {color: red}</style><p>Synlig</p>", "Synlig"),
        ("<script>alert(1)</script>", None),
        ("Synlig <!-- skjult -->", "Synlig"),
        ("<p> </p><img src='x.png'>", None),
    ],
)
def test_markup_becomes_text_and_what_only_looks_like_it_stays(html, text):
    read = plain_text(html)

    assert (read and read.replace("  ", " ")) == text


words = st.text(alphabet="abcæøåDE127 \n", min_size=1, max_size=8)
pieces = st.one_of(
    words,
    st.sampled_from(["<p>", "</p>", "<b>", "</b>", "<li>", "</ul>", "<br/>", "</div>", "<td>"]),
    st.sampled_from(["<", ">", "&", "<3", "< M", "<M,", "&amp;", "&#x27;", "\x00", "\ud800"]),
)


@given(html=st.lists(pieces, max_size=30).map("".join))
def test_no_letter_of_a_description_is_lost_with_its_markup(html):
    tags = r"</?(?:p|b|li|ul|br|div|td)/?>|&amp;|&#x27;"
    letters = [character for character in re.sub(tags, " ", html) if character.isalnum()]

    kept = [character for character in plain_text(html) or "" if character.isalnum()]

    assert Counter(letters) <= Counter(kept)


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<p>Varm &amp; god</p><ul><li>ull</li><li>myk</li></ul>", "Varm & god||* ull|* myk"),
        ("<h2>Mål</h2>Se her<p>en<p>to<ol><li>a<li>b</ol>c", "Mål||Se her||en||to||1. a|2. b|c"),
        ("<ul><li>a<ul><li>b<li></ul><li><p>c</p></ul>", "* a|+ b|+||* c"),
        ("<div>en<div>to</div>\n tre</div>fire<br>fem<br><br>seks", "en|to|tre|fire|fem||seks"),
        ("<dl><dt>Farge<dd>rød</dl><section>a</section>b<hr>c", "Farge|rød|a|b|c"),
        ("a <b> b</b>\n<i>c</i>&nbsp; d<q>e</q><span>f</span>g", 'a b c d"e" f g'),
        ("<pre>a  b\n c</pre>d  e", "a  b|c|d e"),
        (
            "Mål:<table><tr><th>Str.<th>Bryst<tr><td>XXL</td><td><p>100</p><p>cm</td></table>x",
            "Mål:|Str.  Bryst|100|XXL|cm||x",
        ),
        ("<table><td>a<table><tr><td>b<td>c</table>d</td><td>e", "a|b  c  e||d"),
        (f"<table><td>{'a' * 101}<td>b<tr><td>c<td>d</table>", f"{'a' * 101}  b|c  d"),
        ("</table></ul></td>a<td>b</li></pre>", "a b"),
    ],
)
def test_markup_becomes_the_lines_that_a_browser_shows(html, lines):
    assert plain_text(html) == lines.replace("|", "\n")
