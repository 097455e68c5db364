"""The names that people, spreadsheets and loggers give to the columns of a table of runs, in order of preference."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_core.language import t

NUMERIC = ("N", "D", "C", "loss", "se", "unique")
QUANTITIES = (*NUMERIC, "held_out", "group", "tokenizer", "label")
NATS, BITS, BITS_PER_BYTE, NATS_PER_BYTE = "nats per token", "bits per token", "bits per byte", "nats per byte"
PERPLEXITY = "perplexity"
RUN = "run, run id, 运行"
"""Names of a column that is a group where a run has several rows, and a label where each row is a run."""


def unit_in_words(unit: str) -> str:
    """A unit of loss in the reader's language."""
    words = {
        NATS: t("nats per token"),
        BITS: t("bits per token"),
        BITS_PER_BYTE: t("bits per byte"),
        NATS_PER_BYTE: t("nats per byte"),
        PERPLEXITY: t("perplexity"),
    }
    return words.get(unit, unit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One sense in which a column can hold a quantity; of two columns the kind that comes first in `KINDS` is taken.

    name: what is said of it; for N the way parameters are counted. names: the titles it goes by, compared without
    case, spaces and punctuation. unit: of a loss.
    """

    quantity: str
    name: str
    names: str
    unit: str = ""


KINDS: tuple[Kind, ...] = (
    Kind(
        quantity="N",
        name="params",
        names="N, params, param, parameters, model size, size, n params, num params, n parameters, num parameters, "
        "param count, params count, parameter count, number of parameters, model params, model parameters, "
        "non-frozen params, 参数, 参数量, 参数数, 参数数量, 模型参数, 模型参数量, 模型大小, 模型规模, 参数规模",
    ),
    Kind(
        quantity="N",
        name="params_total",
        names="params total, total params, total parameters, N total, n params total, num total params, all params, "
        "params with embedding, params with embeddings, 总参数, 总参数量, 参数总量",
    ),
    Kind(
        quantity="N",
        name="params_non_embedding",
        names="params non embedding, non embedding params, non embedding parameters, N non embedding, N non emb, "
        "N no embed, params no embed, params non emb, non emb params, params no embedding, N without embeddings, "
        "params without embeddings, params ex embedding, num params non embedding, 非嵌入参数, 非嵌入参数量",
    ),
    Kind(
        quantity="N",
        name="params_active",
        names="params active, active params, active parameters, activated params, activated parameters, N active, "
        "激活参数, 激活参数量",
    ),
    Kind(
        quantity="D",
        name="tokens",
        names="D, tokens, token, training tokens, train tokens, n tokens, num tokens, total tokens, tokens seen, "
        "seen tokens, train tokens seen, tokens trained, trained tokens, token count, tokens count, number of tokens, "
        "data, data size, dataset size, dataset tokens, training data, train data, tokens total, consumed tokens, "
        "consumed train tokens, num input tokens seen, train num input tokens seen, n train tokens, 词元, 词元数, "
        "词元数量, 令牌, 令牌数, 令牌数量, 词符数, token数, tokens数, token数量, token量, 训练词元, 训练词元数, "
        "训练令牌数, 训练token数, 训练tokens, 数据量, 训练数据, 训练数据量, 数据规模",
    ),
    Kind(
        quantity="C",
        name="flops",
        names="C, flop, flops, compute, training flop, training flops, train flop, train flops, total flop, "
        "total flops, training compute, train compute, total compute, compute flop, compute flops, total flos, "
        "train total flos, num flops, n flops, 计算量, 算力, 总计算量, 训练计算量, 训练算力, 浮点运算量, "
        "浮点运算数, 运算量",
    ),
    Kind(quantity="C", name="flops_exact", names="flops exact, exact flops, measured flops"),
    Kind(
        quantity="loss",
        name="final validation loss",
        unit=NATS,
        names="final val loss, final validation loss, final eval loss, val loss final, eval loss final, "
        "最终验证损失, 最终验证集损失",
    ),
    Kind(
        quantity="loss",
        name="validation loss",
        unit=NATS,
        names="val loss, validation loss, valid loss, eval loss, evaluation loss, dev loss, held out loss, "
        "holdout loss, loss val, loss valid, loss validation, loss eval, val cross entropy, val nll, val lm loss, "
        "eval lm loss, val ce loss, 验证损失, 验证集损失, 验证集loss, 验证loss, 评估损失, 评测损失",
    ),
    Kind(
        quantity="loss",
        name="test loss",
        unit=NATS,
        names="test loss, loss test, test nll, 测试损失, 测试集损失, 测试loss",
    ),
    Kind(quantity="loss", name="final loss", unit=NATS, names="final loss, loss final, 最终损失, 最终loss, 收敛损失"),
    Kind(
        quantity="loss",
        name="loss",
        unit=NATS,
        names="loss, L, lm loss, cross entropy, cross entropy loss, ce loss, ce, nll, nll loss, nats per token, "
        "loss nats, 损失, 损失值, loss值, 交叉熵, 交叉熵损失, 语言模型损失",
    ),
    Kind(
        quantity="loss",
        name="final training loss",
        unit=NATS,
        names="final train loss, final training loss, train loss final, 最终训练损失",
    ),
    Kind(
        quantity="loss",
        name="training loss",
        unit=NATS,
        names="train loss, training loss, loss train, loss training, train lm loss, train ce loss, "
        "train cross entropy, 训练损失, 训练集损失, 训练loss",
    ),
    Kind(
        quantity="loss",
        name="running loss",
        unit=NATS,
        names="running loss, smoothed loss, loss smooth, loss smoothed, loss ema, ema loss, avg loss, average loss, "
        "mean loss, train loss smooth, train loss smoothed, train loss ema, train loss avg, 平均损失, 平滑损失",
    ),
    Kind(quantity="loss", name="bits per token", unit=BITS, names="bits per token, loss bits, bpt, val bits per token"),
    Kind(
        quantity="loss",
        name="perplexity",
        unit=PERPLEXITY,
        names="perplexity, ppl, val perplexity, validation perplexity, val ppl, eval perplexity, eval ppl, 困惑度",
    ),
    Kind(
        quantity="loss",
        name="bits per byte",
        unit=BITS_PER_BYTE,
        names="bits per byte, bpb, val bpb, val bits per byte, eval bpb, eval bits per byte, loss bpb, 每字节比特",
    ),
    Kind(
        quantity="se",
        name="standard error",
        names="se, stderr, std err, std error, standard error, loss se, se loss, loss stderr, loss std err, "
        "loss standard error, sem, loss sem, val loss se, val loss stderr, 标准误, 标准误差",
    ),
    Kind(
        quantity="unique",
        name="unique tokens",
        names="U, unique, unique tokens, tokens unique, unique data, n unique tokens, num unique tokens, D unique, "
        "unique D, unique train tokens, 唯一词元, 唯一词元数, 不重复词元, 不重复词元数, "
        "去重词元数, 独立词元数, 唯一令牌数",
    ),
    Kind(quantity="held_out", name="held out", names="held out, is held out, holdout, hold out, 留出, 是否留出"),
    *(
        Kind(quantity="group", name=name, names=name)
        for name in ("group", "isoflop", "budget", "cluster", "family", "分组, 组, 组别", RUN)
    ),
    Kind(quantity="tokenizer", name="tokenizer", names="tokenizer, tokeniser, tokenizer name, 分词器"),
    *(
        Kind(quantity="label", name=name, names=name)
        for name in ("label, 标签", "run name, name, 名称, 名字, 运行名称", "model, model name, 模型, 模型名称", "id")
    ),
)
CHOOSABLE = ("N", "D", "C", "loss")
"""Quantities for which two columns of one kind are an ambiguity; of the others the first is taken."""
