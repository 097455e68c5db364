"""Tables of runs: what is recognised, what is said of it, and the sentence for what is not."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from scaling_core.errors import InputError
from scaling_core.fit import RunPoints, fit_law, read_csv, read_table
from scaling_core.fit.tables.names import KINDS

TWO = "1e8,2e9,3.1\n2e8,4e9,2.9\n"


def notes(text: str | bytes, **options: str) -> str:
    """Everything that is said of a table, as one text."""
    return " ".join(read_table(text, **options).notes)  # type: ignore[arg-type]  # the one option passed is a text


def test_columns_are_recognised_and_the_third_quantity_follows() -> None:
    points = read_csv("Model Size,FLOPs,Val Loss,group\n70B,5.88e23,1.94,a\n1B,1.2e20,2.6,b\n")
    np.testing.assert_allclose(points.D, [1.4e12, 2e10])
    assert points.group == ("a", "b")


def test_every_optional_column_arrives() -> None:
    table = read_table(
        "name,group,N,D,loss,se,U,tokenizer,held_out,lr\n"
        "a,g,1e8,2e9,3.1,0.01,1e9,gpt2,no,3e-4\n"
        "b,g,2e8,2e9,2.9,0.02,2e9,gpt2,yes,3e-4\n"
    )
    points = table.points
    assert points.label == ("a", "b")
    assert points.group == ("g", "g")
    assert points.tokenizer == ("gpt2", "gpt2")
    assert points.se is not None
    assert points.se.tolist() == [0.01, 0.02]
    assert points.unique is not None
    assert points.unique.tolist() == [1e9, 2e9]
    assert table.held_out is not None
    assert table.held_out.tolist() == [False, True]
    assert table.fitted.label == ("a",)
    assert table.unused == ("lr",)
    assert "1 of 2 runs is marked as held out" in " ".join(table.notes)


def test_points_carry_every_column_through_a_subset_and_a_sorting() -> None:
    points = RunPoints.of(
        N=[3e8, 1e8, 2e8],
        D=[1e9] * 3,
        loss=[2.0, 3.0, 2.5],
        se=[0.3, 0.1, 0.2],
        unique=[3.0, 1.0, 2.0],
        group=["c", "a", "b"],
        tokenizer=["z", "x", "y"],
        label=["3", "1", "2"],
    )
    ordered = points.sorted()
    assert ordered.unique is not None
    assert ordered.unique.tolist() == [1.0, 2.0, 3.0]
    assert (ordered.group, ordered.tokenizer, ordered.label) == (("a", "b", "c"), ("x", "y", "z"), ("1", "2", "3"))
    one = points.subset(points.N > 2.5e8)
    assert (one.group, one.tokenizer, one.label, len(one)) == (("c",), ("z",), ("3",), 1)
    for bad in ({"unique": [1.0]}, {"unique": [1.0, 0.0, 1.0]}, {"tokenizer": ["a"]}, {"label": ["a"]}):
        with pytest.raises(InputError, match=next(iter(bad))):
            RunPoints.of(N=[1e8] * 3, D=[1e9] * 3, loss=[3.0] * 3, **bad)


@pytest.mark.parametrize("value", [1e-41, 1e41, math.inf, math.nan, -1.0, 0.0])
def test_points_beyond_all_measure_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="positive finite number"):
        RunPoints.of(N=[value], D=[1e9], loss=[3.0])


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("train/tokens_seen,eval/loss,model/num_params", {"D": 0, "loss": 1, "N": 2}),
        ("train/total_flos,run1 - val_loss,config.n_params", {"C": 0, "loss": 1, "N": 2}),
        ("Training FLOP,Model Size,Final Val Loss", {"C": 0, "N": 1, "loss": 2}),
        ("参数量,令牌数,验证损失", {"N": 0, "D": 1, "loss": 2}),
        ("计算量,词元数,损失", {"C": 0, "D": 1, "loss": 2}),
        ("损失,计算量,参数", {"loss": 0, "C": 1, "N": 2}),
        ("Ｎ,Ｄ,ｌｏｓｓ", {"N": 0, "D": 1, "loss": 2}),
        ("#,N,D,loss", {"N": 1, "D": 2, "loss": 3}),
        ("N_PARAMS,Num-Tokens,LOSS", {"N": 0, "D": 1, "loss": 2}),
        ("total training tokens seen,C4 val loss,our params", {"D": 0, "loss": 1, "N": 2}),
        ("tokens_per_param,params,tokens,predicted_loss,loss", {"N": 1, "D": 2, "loss": 4}),
        ("log N,N,D,loss std,loss", {"N": 1, "D": 2, "loss": 4}),
        ("data,tokens,param_count,params,loss", {"D": 1, "N": 3, "loss": 4}),
    ],
)
def test_names_in_many_shapes(header: str, columns: dict[str, int]) -> None:
    titles = header.split(",")
    values = {"N": "1e8", "D": "2e9", "C": "1.2e18", "loss": "3.1"}
    row = ["text"] * len(titles)
    for name, place in columns.items():
        row[place] = values[name]
    table = read_table(f"{header}\n{','.join(row)}\n")
    assert {name: titles.index(title) for name, title in table.columns.items()} == columns
    np.testing.assert_allclose([table.points.N[0], table.points.D[0], table.points.loss[0]], [1e8, 2e9, 3.1])


def test_no_name_stands_for_two_quantities() -> None:
    names = [(kind.quantity, name.strip().casefold()) for kind in KINDS for name in kind.names.split(",")]
    once = {name: quantity for quantity, name in names}
    assert [pair for pair in names if once[pair[1]] != pair[0]] == []


@pytest.mark.parametrize(
    "text",
    [
        "N;D;loss\n1e8;2e9;3,1\n2e8;4e9;2,9\n",
        "N\tD\tloss\n100 000 000\t2.000.000.000\t3,1\n200.000.000\t4.000.000.000\t2,9\n",
        "N;D;loss\n100,000,000;2,000,000,000;3.1\n200,000,000;4e9;2.9\n",
        'N,D,loss\n"100,000,000","2,000,000,000","3.1"\n"0.2B",4B,2.9\n',
        'N,D,loss\n1e8,2e9,"3,1"\n2e8,4e9,"2,9"\n',
        "N|D|loss\n1e8|2e9|3.1\n2e8|4e9|2.9\n",
        "| N | D | loss |\n|---|:---:|---:|\n| **100M** | 2B | `3.1` |\n| 200M | 4B | 2.9 |\n",
        "N D   loss\n1e8  2e9 3.1\n2e8 4e9  2.9\n",
        "N，D，loss\n１e8，2e9，3.1\n2亿，40亿，2.9\n",
        "# made by hand\n\n# N D loss\n1e8 2e9 3.1\n# 1e9 1e9 1\n2e8 4e9 2.9\n",
        "Our runs, 2024,,\n,,\nN,D,loss\n1e8,2e9,3.1\n2e8,4e9,2.9\n",
        "sep=,\nN,D,loss,,\n1e8,2e9,3.1,,\n2e8,4e9,2.9,,\n,,,,\n",
        "N,D,loss\r1e8,2e9,3.1\r2e8,4e9,2.9\r",
        "N,D,loss\r\n1e8,2e9,3.1\n\r\n2e8,4e9,2.9\x1a",
        "N,D,loss\n1e8,2e9,3.1\nN,D,loss\n2e8,4e9,2.9\n",
        "N,D,loss\n'1e8,'2e9,'3.1\n\u200b2e8\ufeff,\u200e4e9,2.9\u00a0\n",
        "N,D,loss\n0.1 billion params,2B tokens,3.1 nats\n200 million,4 bn,2.9 nats/token\n",
        "N,D,loss\n10^8,2 x 10^9,3.1\n2×10⁸,4·e9,2.9\n".replace("·", ""),
        "N,C,loss\n1e8,1.2e18 FLOP,3.1\n2e8,4.8 EFLOP,2.9\n",
        '\ufeffN,D,"loss"\n1e8,2e9,3.1\n2e8,4e9,2.9',
        "Params (M),tokens_b,loss (nats)\n100,2,3.1\n0.2B,4,2.9\n",
        "N (×1e6),D [10^9],loss\n100,2,3.1\n200,4,2.9\n",
        "参数量（亿）,词元（十亿）,损失\n1,2,3.1\n2,4,2.9\n",
        "params_b,tokens in billions,loss\n0.1,2,3.1\n0.2,4,2.9\n",
        "params_b,tokens_b,loss\n1e8,2e9,3.1\n2e8,4e9,2.9\n",
    ],
)
def test_one_table_in_many_dresses(text: str) -> None:
    points = read_csv(text)
    np.testing.assert_allclose(points.N, [1e8, 2e8], rtol=1e-12)
    np.testing.assert_allclose(points.D, [2e9, 4e9], rtol=1e-12)
    assert points.loss.tolist() == [3.1, 2.9]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(f"参数\t令牌数\t损失\r\n{TWO.replace(',', chr(9))}".encode(encoding))
    table = read_table(path)
    assert table.points.N.tolist() == [1e8, 2e8]
    assert ("GB18030" in " ".join(table.notes)) == (encoding == "gb18030")


def test_latin_1_is_said() -> None:
    assert "Latin-1" in notes("N,D,loss,modèle\n1e8,2e9,3.1,é\n".encode("latin-1"))


def test_pf_days_and_a_cell_that_names_its_own_magnitude() -> None:
    points = read_csv("N,compute (PF-days),loss\n1e9,2,3\n1e9,1.728e20 FLOP,3\n1e9,3 PF-days,3\n")
    np.testing.assert_allclose(points.C, [1.728e20, 1.728e20, 2.592e20])


@pytest.mark.parametrize(
    ("title", "loss", "unit", "sentence"),
    [
        ("loss (bits/token)", 2.0 * math.log(2.0), "nats per token", "multiplied by ln 2"),
        ("val_ppl", math.log(2.0), "nats per token", "its logarithm"),
        ("bits_per_byte", 2.0, "bits per byte", "bits_per_byte is in bits per byte, not in nats per token"),
        ("Val BPB", 2.0, "bits per byte", "cannot be set beside published ones"),
        ("loss (nats per byte)", 2.0, "nats per byte", "nats per byte, not in nats per token"),
    ],
)
def test_units_of_the_loss(title: str, loss: float, unit: str, sentence: str) -> None:
    table = read_table(f"N,D,{title}\n1e8,2e9,2\n")
    assert table.points.loss[0] == pytest.approx(loss, rel=1e-15)
    assert table.loss_unit == unit
    assert sentence in " ".join(table.notes)


def test_of_two_losses_the_better_is_taken_and_said() -> None:
    text = "N,D,train_loss,val_loss,bpb\n1e8,2e9,3.0,3.1,1.1\n"
    assert read_csv(text).loss.tolist() == [3.1]
    assert "read from val_loss, not from train_loss, bpb: validation goes before training" in notes(text)
    assert read_csv("N,D,running_loss,final_loss\n1e8,2e9,3.0,3.1\n").loss.tolist() == [3.1]
    assert read_table(text, mapping={"loss": "train_loss"}).points.loss.tolist() == [3.0]
    assert read_table(text, mapping={"loss": "bpb"}).loss_unit == "bits per byte"


COUNTS = "params,params_non_embedding,params_total,tokens,flops,loss\n1e8,8e7,1.2e8,2e9,1.2e18,3.1\n"


def test_countings_of_parameters() -> None:
    table = read_table(COUNTS)
    assert list(table.counts) == ["params", "params_total", "params_non_embedding"]
    assert (table.count, table.points.N.tolist()) == ("params", [1e8])
    assert "counted in 3 ways" in " ".join(table.notes)
    other = read_table(COUNTS, count="params_non_embedding")
    assert (other.count, other.points.N.tolist(), other.columns["N"]) == (
        "params_non_embedding",
        [8e7],
        "params_non_embedding",
    )
    assert "leaves the embeddings out" in " ".join(other.notes)
    assert "flops is more than 5% from 6 N D in 1 of 1 runs (at most +25%)" in " ".join(other.notes)
    with pytest.raises(InputError, match="the table offers params, params_total, params_non_embedding"):
        read_table(COUNTS, count="params_active")
    assert read_table("D,C,loss\n2e9,1.2e18,3.1\n").count is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("N,D,C,loss\n1e8,2e9,1.2e18,3\n1e8,2e9,3.6e20,2\n", "in 1 of 2 runs (at most a factor of 300)"),
        (f"N,D,loss\n{TWO}{TWO}", "2 rows repeat N, D and loss of an earlier one (the first on line 4)"),
        ("params,tokens,loss\n7,140,2.1\n70,1400,1.9\n", "at most 70 parameters: where billions are meant"),
        ("params_b,D,loss\n7,1e9,3\n", "params_b were multiplied by 1e9"),
        ("params_b,D,loss\n7e9,1e9,3\n", "written in full"),
        (
            "N,D,loss,se\n1e8,2e9,3,0.1\n1e8,3e9,3,\n1e8,4e9,3,0\n",
            "standard errors are not used: they are missing in 2 of 3",
        ),
        ("N,D,C,loss\n1e8,2e9,unknown,3\n", "C is not used: it holds no numbers"),
        ("run,N,D,loss\nx,1e8,2e9,3\n# y,1e8,2e9,3\n", "1 row that begins with # was passed over"),
        ("N,D,loss\n1e8;1e9;3\n".replace(",", ";").replace("3", "3,5"), "Commas were read as decimal points"),
        ("N,D,our c4 loss\n1e8,1e9,3\n", "our c4 loss was taken for the loss"),
    ],
)
def test_what_is_said(text: str, sentence: str) -> None:
    assert sentence in notes(text)


def test_nothing_is_said_of_a_plain_table() -> None:
    assert read_table(f"N,D,loss\n{TWO}").notes == ()


def test_a_run_column_is_a_group_only_where_runs_repeat() -> None:
    curves = read_csv("run,N,D,loss\na,1e8,1e9,3\na,1e8,2e9,2.9\nb,2e8,1e9,2.8\n")
    assert (curves.group, curves.label) == (("a", "a", "b"), None)
    finals = read_csv("run,N,D,loss\na,1e8,1e9,3\nb,1e8,2e9,2.9\n")
    assert (finals.group, finals.label) == (None, ("a", "b"))


def test_a_name_that_begins_with_a_hash_is_no_comment() -> None:
    assert read_csv("model,N,D,loss\n#1,1e8,1e9,3\n#2,2e8,1e9,3\n").label == ("#1", "#2")


def test_labels_are_one_short_line() -> None:
    label = read_csv('name,N,D,loss\n"a\nb\x1b[31m' + "c" * 300 + '",1e8,1e9,3\n').label
    assert label is not None
    assert label[0].startswith("a b [31mccc")
    assert len(label[0]) == 200


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no rows"),
        ("\n \n", "no rows"),
        ("N,D,loss\n", "no rows"),
        ("N,D\n1e8,1e9\n", "one column must be the loss"),
        ("N,loss\n1e8,3\n", "two of N"),
        ("1e8,1e9,3\n", "a row must name the columns"),
        ("N,params,D,loss\n1,1,1,1\n", "'N' and 'params' could both be N"),
        ("N,D,loss,loss\n1,1,1,1\n", "'loss' and 'loss' could both be the loss"),
        ("N,D,val_loss,eval/loss\n1,1,1,1\n", "'val_loss' and 'eval/loss' could both be the loss"),
        ("N,D,wiki loss,code loss\n1,1,1,1\n", "'wiki loss' and 'code loss' could both be the loss"),
        ("N,D,loss\n1e8,1e9,3\n1e8,many,3\n", "line 3, column D"),
        ("N,D,loss\n1e8,1e9,nan\n", "line 2, column loss"),
        ("N,D,loss\n1e8,1e9\n", "line 2, column loss"),
        ("N,D,loss\n=1+1,1e9,3\n", "not a formula"),
        ("N,D,loss\n1e8,1e9,3%\n", "not a percentage"),
        ("N,D,loss\n1e8,1e9,1e7\n", "it must be a number from 1e-6 to 1e6"),
        ("N,D,loss\n1e30,1e9,3\n", "a number of parameters from 1 to 1e24"),
        ("N,D,loss\n0x10,1e9,3\n", "'0x10'"),
        ("N,C,loss\n1e20,1e10,3\n", r"line 2: got 'D = C / \(6 N\) = 1.67e-11'"),
        ("N,D,loss,se\n1e8,1e9,3,-1\n", "column se"),
        ("N,D,loss,held_out\n1e8,1e9,3,perhaps\n", "yes or no"),
        ("N,D,loss\n1,000,000,1e9,3\n", "line 2: got '5 cells', but the header has 3"),
        ("a title\n\nN,D,loss\n\n1e8,1e9,3\n# a comment\n1e8,x,3\n", "line 7, column D"),
        ('N,D,loss\n1e8,"1e9,3\n1e8,1e9,3\n', "a quoted cell must be closed"),
        ('N,D,loss\n1e8,"1e9,3\n' + TWO * 20, "line 2: got 'a record of 41 lines'"),
        ("N,D,loss\n" + "1" * 200_000 + ",1,1\n", "every cell must be short"),
        ("N,D,loss\n" + "1," * 1_000_000 + "\n", "line 2: got '2000001 characters'"),
        (b"N,D,loss\n\x00\n", "binary"),
        (b"\xff\xfe\x00", "binary"),
        (b"N,D,loss\n\xff,1,1\n", "line 2, column N: got 'ÿ'"),
        (b"PK\x03\x04abc", "an Excel workbook"),
        (b"PAR1abc", "a Parquet file"),
    ],
)
def test_a_bad_table_ends_in_a_sentence(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_csv(text)


def test_the_first_bad_row_is_raised_with_the_next_three() -> None:
    bad = "N,D,loss\n1e8,1e9,3\nx,1e9,3\n1e8,1e9,3\n1e8,,3\n1e8,1e9,-1\n1e8,1e9,0\n1e8,1e9,inf\n"
    with pytest.raises(InputError) as caught:
        read_table(bad)
    assert str(caught.value) == (
        "line 3, column N: got 'x', but it must be a number of parameters from 1 to 1e24; "
        "lines 5, 6 and 7 cannot be read either."
    )
    table = read_table(bad, skip_bad=True)
    assert table.lines.tolist() == [2, 4]
    assert [line for line, _ in table.skipped] == [3, 5, 6, 7, 8]
    assert table.skipped_count == 5
    assert table.skipped[1][1].startswith("line 5, column D: got ''")
    with pytest.raises(InputError, match=r"2 bad rows.*line 2, column N"):
        read_table("N,D,loss\nx,1,1\ny,1,1\n", skip_bad=True)


def test_skipped_rows_are_listed_only_so_far() -> None:
    table = read_table("N,D,loss\n1e8,1e9,3\n" + "x,1,1\n" * 20_000, skip_bad=True)
    assert (len(table.points), table.skipped_count, len(table.skipped)) == (1, 20_000, 50)


def test_a_column_can_be_chosen_by_its_title() -> None:
    text = "foo,bar (B),baz,group\n1e8,2,3.1,a\n2e8,4,2.9,b\n"
    with pytest.raises(InputError, match="one column must be the loss"):
        read_table(text)
    table = read_table(text, mapping={"N": "foo", "D": "bar (B)", "loss": "baz", "group": ""})
    assert (table.points.N.tolist(), table.points.D.tolist()) == ([1e8, 2e8], [2e9, 4e9])
    assert table.points.group is None
    for wrong, sentence in (({"N": "nowhere"}, "a title of the header"), ({"M": "foo"}, "a column can be N, D")):
        with pytest.raises(InputError, match=sentence):
            read_table(text, mapping=wrong)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path, Path("nul\x00byte")):
        with pytest.raises(InputError, match="could not be read"):
            read_csv(path)


def test_published_runs_are_read_as_an_independent_reader_reads_them(shared_data: Path) -> None:
    for name, N, third, scale in (
        ("epoch_chinchilla_svg_extracted_data.csv", "Model Size", "Training FLOP", 6.0),
        ("datablations_return_alloc_final_losses.csv", "N", "D", 0.0),
        ("porian_isoflop_points.csv", "N", "D", 0.0),
    ):
        table = read_table(shared_data / name)
        with (shared_data / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        sizes, losses = [float(row[N]) for row in rows], [float(row["loss"]) for row in rows]
        tokens = [float(row[third]) / (scale * n if scale else 1.0) for row, n in zip(rows, sizes, strict=True)]
        assert (table.points.N.tolist(), table.points.loss.tolist()) == (sizes, losses)
        np.testing.assert_allclose(table.points.D, tokens, rtol=1e-15)
    unique = read_table(shared_data / "datablations_return_alloc_final_losses.csv").points.unique
    assert unique is not None
    assert unique.min() < 2e8


def test_a_pasted_table_is_fitted() -> None:
    rows = [(n, d) for n in (1, 3, 10, 30) for d in (2, 6, 20, 60)]
    law = [(n, d, 1.7 + 400 / (n * 1e8) ** 0.34 + 410 / (d * 1e9) ** 0.28) for n, d in rows]
    pasted = "参数（亿）\t词元（B）\t损失\n" + "".join(f"{n}\t{d}\t{loss!r}\n" for n, d, loss in law)
    assert fit_law(read_csv(pasted)).constants == pytest.approx(
        {"E": 1.7, "A": 400, "B": 410, "alpha": 0.34, "beta": 0.28}, rel=1e-4
    )


def test_tokenizers_are_kept_where_they_make_losses_incomparable() -> None:
    """Per token they do, and the fit says so; per byte they do not."""
    rows = "1e8,2e9,3.1,gpt2\n2e8,4e9,2.9,llama\n"
    assert read_csv(f"N,D,loss,tokenizer\n{rows}").tokenizer == ("gpt2", "llama")
    assert read_csv(f"N,D,bits_per_byte,tokenizer\n{rows}").tokenizer is None
