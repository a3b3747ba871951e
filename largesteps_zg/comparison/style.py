"""The style sheet of the comparison's page: light and dark, wide and narrow."""

STYLE = """
:root{--paper:#fdfdfc;--ink:#1c1c1e;--soft:#67676d;--line:#e3e3e6;--band:#f5f5f3;
--reference:#1c1c1e;--c0:#0072b2;--c1:#d1470c;--c2:#008f68;--c3:#b4589c;--c4:#a67c00;--c5:#4a8fd0;--c6:#7a5c3e}
@media(prefers-color-scheme:dark){:root{--paper:#161618;--ink:#ececee;--soft:#9d9da5;--line:#34343a;--band:#1f1f23;
--reference:#f2f2f4;--c0:#55aee8;--c1:#ff8a55;--c2:#3fcaa0;--c3:#e596cf;--c4:#e0b93c;--c5:#8fbff5;--c6:#c9a27c}
img[alt^="error of"],.scale span{filter:invert(1) hue-rotate(180deg)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:clamp(1.2rem,4vw,3.5rem) clamp(1rem,4vw,2.5rem)}
h1{font-size:clamp(1.6rem,4.5vw,2.3rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 .6rem;font-weight:650}
header p{max-width:46em;margin:0;color:var(--soft)}
section{margin-top:2.6rem}
h2{font-size:1.15rem;font-weight:620;margin:0 0 .9rem;letter-spacing:-.01em}
.note{color:var(--soft);font-size:.84rem;margin:.6rem 0 0}
.scroll{overflow-x:auto;margin:0 -1rem;padding:0 1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.94rem}
th,td{padding:.5rem .2rem .5rem 1.1rem;text-align:right;vertical-align:top;white-space:nowrap;font-weight:400}
thead th{color:var(--soft);font-size:.8rem;border-bottom:1.5px solid var(--ink);padding-top:0}
tbody td,tbody th{border-bottom:1px solid var(--line)}
th:first-child{text-align:left;padding-left:0;position:sticky;left:0;background:var(--paper);padding-right:.6rem}
tbody th{font-weight:550}
td b{font-weight:700}
td span{display:block;color:var(--soft);font-size:.78rem;line-height:1.35}
.failed td{text-align:left;color:var(--soft);white-space:normal;font-style:italic}
.swatch{display:inline-block;width:.62em;height:.62em;border-radius:50%;margin-right:.5em;background:currentColor}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:1.6rem 2rem}
figure{margin:0}
.charts figcaption{font-size:.92rem;font-weight:550;margin-bottom:.3rem}
.chart{display:block;width:100%;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.grid{stroke:var(--line);stroke-width:1;fill:none}.base{stroke:var(--soft);stroke-width:1;fill:none}
.tick,.axis{fill:var(--soft);font-variant-numeric:tabular-nums}
.curve{fill:none;stroke:currentColor;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
.end{fill:currentColor;stroke:var(--paper);stroke-width:1.5}
.name{fill:currentColor;font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.reference{color:var(--reference)}.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}
.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,
minmax(max(130px,(100% - (var(--count) - 1)*.8rem)/var(--count)),1fr));
gap:.8rem;margin-bottom:1.2rem}
.card{min-width:0;background:var(--band);border-radius:10px;padding:.5rem}
.card figcaption{font-size:.82rem;font-weight:550;padding:0 .1rem .2rem;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis}
.card img{display:block;width:100%;height:auto}
.scale{padding:1rem .4rem 0}.scale span{display:block;height:.5rem;border-radius:3px}
.scale p{display:flex;justify-content:space-between;margin:.2rem 0 0;font-size:.74rem;color:var(--soft)}
.scale b{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.45rem 1.4rem;margin:0;font-size:.9rem;max-width:60em}
dt{font-weight:550}dd{margin:0;color:var(--soft)}
footer{margin-top:2.8rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8rem}
footer p{margin:.2rem 0;overflow-wrap:anywhere}
@media(max-width:520px){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.7rem}}
"""
