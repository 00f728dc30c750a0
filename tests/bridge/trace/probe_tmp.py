import warnings, sys

warnings.simplefilter("ignore")
from tests.bridge.trace.faithful import is_faithful, trace
from tests.bridge.trace.test_trace_modules import CODE
from tests.bridge.trace import modules
from tests.bridge.trace.modules import *
import costmodel as cm
from costmodel.algebra.symbols import H, W

P = lambda *s: nn.Parameter(torch.randn(*s))


def warm(m):
    torch.manual_seed(0)
    for p in m.parameters():
        if p.numel() and p.is_floating_point():
            p.data = torch.randn(p.shape) * 0.3 + 0.1
    for n, b in m.named_buffers():
        if n.endswith("running_mean"):
            b.copy_(torch.randn(b.shape))
        if n.endswith("running_var"):
            b.copy_(torch.rand(b.shape) * 0.01 + 0.001)
    return m


L = lambda f, **k: Code(f, **k)
tok = lambda x: x.flatten(2).transpose(1, 2)
X = {
    "made filter": L(
        lambda _, x: F.conv2d(x, torch.ones(3, 1, 3, 3, dtype=x.dtype), groups=3)
    ),
    "coords": L(
        lambda _, x: torch.cat(
            [
                x,
                torch.linspace(-1, 1, x.shape[3]).expand(x.shape[0], 1, x.shape[2], -1),
            ],
            1,
        )
    ),
    "coords2": L(
        lambda m, x: m.c(
            torch.cat(
                [
                    x,
                    torch.ones(1, 1, *x.shape[2:], dtype=x.dtype).expand(
                        len(x), -1, -1, -1
                    ),
                ],
                1,
            )
        ),
        c=nn.Conv2d(4, 3, 1),
    ),
    "coords3": L(lambda m, x: x + torch.arange(x.shape[3])),
    "zeros": L(
        lambda _, x: torch.cat([x, x.new_zeros(x.shape[0], 1, *x.shape[2:])], 1)
    ),
    "x,x": L(lambda _, x: (x, x)),
    "y,y": L(lambda _, x: (y := x.relu(), y)),
    "y,dict": L(lambda _, x: {"a": x + 1, "b": [x, x]}),
    "roll2": L(lambda _, x: torch.roll(x, 2, -1)),
    "roll": L(lambda _, x: torch.roll(x, (2, -3), (2, 3))),
    "roll flat": L(lambda _, x: torch.roll(x.flatten(1), 2, 1)),
    "roll c": L(lambda _, x: torch.roll(x, 1, 1)),
    "roll h": L(lambda _, x: torch.roll(x, x.shape[2] // 2, 2)),
    "flip": L(lambda _, x: x.flip(2)),
    "flip2": L(lambda _, x: torch.flip(x, (1, 3))),
    "fliplr": L(lambda _, x: torch.fliplr(x)),
    "pad5": L(lambda _, x: F.pad(x, (1, 2, 0, 1), value=5.0)),
    "padinf": L(lambda _, x: F.pad(x, (1, 2, 0, 1), value=-float("inf")).clamp(-9, 9)),
    "padc": L(lambda _, x: F.pad(x, (1, 2, 0, 1, 1, 1), value=5.0)),
    "padc2": L(lambda _, x: F.pad(x, (0, 0, 0, 0, 1, 1), value=5.0)),
    "padtok": L(lambda _, x: F.pad(tok(x), (0, 0, 1, 2), value=2.0)),
    "padneg": L(lambda _, x: F.pad(x, (-1, 2, 1, -1))),
    "constpad": nn.ConstantPad2d((1, 2, 3, 4), 3.5),
    "padrefl": L(lambda _, x: F.pad(x, (1, 2, 0, 1), mode="reflect")),
    "padrep": nn.ReplicationPad2d((1, 2, 3, 0)),
    "padcirc": nn.CircularPad2d((1, 2, 3, 0)),
    "padto": L(
        lambda _, x: F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4), value=2.0)
    ),
    "padtohalf": L(lambda _, x: F.pad(x, ((a := -x.shape[3] % 4) // 2, a - a // 2))),
    "padto front": L(lambda _, x: F.pad(x, (-x.shape[3] % 4, 0))),
    "padto other": L(lambda _, x: F.pad(x, ((a := -x.shape[3] % 4) - a // 2, a // 2))),
    "bn eps": warm(nn.BatchNorm2d(3, eps=0.1)),
    "bn noaffine": warm(nn.BatchNorm2d(3, eps=0.1, affine=False)),
    "bn notrack": warm(nn.BatchNorm2d(3, track_running_stats=False)),
    "bn mom": warm(nn.BatchNorm2d(3, momentum=0.5)),
    "in": warm(nn.InstanceNorm2d(3, eps=0.1, affine=True)),
    "in track": warm(nn.InstanceNorm2d(3, affine=True, track_running_stats=True)),
    "gn": warm(nn.GroupNorm(3, 3, eps=0.2)),
    "ln": L(lambda m, x: m.n(x.permute(0, 2, 3, 1)), n=warm(nn.LayerNorm(3, eps=0.3))),
    "ln nobias": L(
        lambda m, x: m.n(x.permute(0, 2, 3, 1)),
        n=warm(nn.LayerNorm(3, eps=0.3, bias=False)),
    ),
    "rms": L(lambda m, x: m.n(x.permute(0, 2, 3, 1)), n=warm(nn.RMSNorm(3, eps=0.3))),
    "rms none": L(lambda m, x: m.n(x.permute(0, 2, 3, 1)), n=warm(nn.RMSNorm(3))),
    "lrn": nn.LocalResponseNorm(3, 0.1, 0.6, 1.5),
    "lrn2": nn.LocalResponseNorm(2),
    "leaky": nn.LeakyReLU(0.3),
    "leakyF": L(lambda _, x: F.leaky_relu(x, 0.2)),
    "elu": nn.ELU(0.3),
    "celu": nn.CELU(0.3),
    "selu": nn.SELU(),
    "softplus": nn.Softplus(2.0, 1.0),
    "softshrink": nn.Softshrink(0.3),
    "hardshrink": nn.Hardshrink(0.1),
    "threshold": nn.Threshold(0.2, 3.0),
    "hardtanh": nn.Hardtanh(-0.3, 0.4),
    "relu6": nn.ReLU6(),
    "gelu": nn.GELU(),
    "gelut": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "logsigmoid": nn.LogSigmoid(),
    "softsign": nn.Softsign(),
    "tanhshrink": nn.Tanhshrink(),
    "rrelu": nn.RReLU(),
    "glu": nn.GLU(2),
    "prelu": nn.PReLU(3, 0.7),
    "softmax2d": nn.Softmax2d(),
    "softmin": nn.Softmin(1),
    "logsoftmax": nn.LogSoftmax(1),
    "clamp": L(lambda _, x: x.clamp(-0.2, 0.3)),
    "clampmin": L(lambda _, x: x.clamp(min=0.3)),
    "clampmax": L(lambda _, x: torch.clamp_max(x, 0.3)),
    "clamp_min_": L(lambda _, x: x.clone().clamp_min_(0.3)),
    "round": L(lambda _, x: torch.round(x, decimals=2)),
    "avg cip": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "avg ceil": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "avg div": L(lambda _, x: F.avg_pool2d(x, 2, divisor_override=3)),
    "max dil": nn.MaxPool2d(3, 2, 1, dilation=2),
    "max ceil": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    "ada": nn.AdaptiveAvgPool2d((3, None)),
    "adamax": nn.AdaptiveMaxPool2d((3, 4)),
    "ada sym": L(lambda _, x: F.adaptive_avg_pool2d(x, (x.shape[2] // 2, 5))),
    "lp": nn.LPPool2d(2, 3),
    "interp nearest": nn.Upsample(scale_factor=2),
    "interp bil": nn.Upsample(scale_factor=2, mode="bilinear"),
    "interp bilc": nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "interp bic": nn.Upsample(scale_factor=3, mode="bicubic"),
    "interp 1.5": nn.Upsample(scale_factor=1.5, mode="bilinear"),
    "interp .4": nn.Upsample(scale_factor=0.4, mode="bilinear"),
    "interp rec": nn.Upsample(
        scale_factor=1.7, mode="bilinear", recompute_scale_factor=True
    )
    if False
    else L(
        lambda _, x: F.interpolate(
            x, scale_factor=1.5, mode="bilinear", recompute_scale_factor=True
        )
    ),
    "interp size": L(
        lambda _, x: F.interpolate(
            x, size=(x.shape[2] * 2, 7), mode="bicubic", align_corners=True
        )
    ),
    "interp aa": L(
        lambda _, x: F.interpolate(x, size=(9, 7), mode="bilinear", antialias=True)
    ),
    "interp aas": L(
        lambda _, x: F.interpolate(x, scale_factor=2, mode="bilinear", antialias=True)
    ),
    "interp area": L(lambda _, x: F.interpolate(x, size=(9, 7), mode="area")),
    "interp ne": L(lambda _, x: F.interpolate(x, size=(9, 7), mode="nearest-exact")),
    "var": L(lambda _, x: x.var(1)),
    "var0": L(lambda _, x: x.var((2, 3), unbiased=False, keepdim=True)),
    "std": L(lambda _, x: x.std(1, keepdim=True)),
    "varc": L(lambda _, x: torch.var(x, (2, 3), correction=3)),
    "varmean": L(lambda _, x: torch.var_mean(x, 1)),
    "stdmean": L(lambda _, x: torch.std_mean(x, (2, 3), unbiased=False)),
    "norm": L(lambda _, x: x.norm(dim=1)),
    "normalize": L(lambda _, x: F.normalize(x)),
    "norm1": L(lambda _, x: x.norm(p=1, dim=1)),
    "amax": L(lambda _, x: x.amax((2, 3))),
    "max": L(lambda _, x: x.max(1).values),
    "max2": L(lambda _, x: x.max(1)),
    "sum": L(lambda _, x: x.sum((2, 3))),
    "prod": L(lambda _, x: x.prod(1)),
    "cumsum": L(lambda _, x: x.cumsum(2)),
    "logsumexp": L(lambda _, x: x.logsumexp(1)),
    "attn": L(lambda _, x: F.scaled_dot_product_attention(*[tok(x)] * 3)),
    "attn causal": L(
        lambda _, x: F.scaled_dot_product_attention(*[tok(x)] * 3, is_causal=True)
    ),
    "attn scale": L(
        lambda _, x: F.scaled_dot_product_attention(*[tok(x)] * 3, scale=0.1)
    ),
    "x*size": L(lambda _, x: x * x.shape[2]),
    "x/hw": L(lambda _, x: x.sum((2, 3)) / (x.shape[2] * x.shape[3])),
    "x*hw**-.5": L(lambda _, x: x * (x.shape[2] ** -0.5)),
    "scalar tensor": L(lambda _, x: x * torch.tensor(0.5)),
    "alpha": L(lambda _, x: torch.add(x, x * 2, alpha=3)),
    "rsub": L(lambda _, x: 1 - x),
    "rdiv": L(lambda _, x: 1 / (x * x + 1)),
    "rpow": L(lambda _, x: 2**x),
    "pow": L(lambda _, x: x**3),
    "pow2": L(lambda _, x: x**2),
    "floordiv": L(lambda _, x: x // 2),
    "fmod": L(lambda _, x: x % 2),
    "divround": L(lambda _, x: torch.div(x, 2, rounding_mode="floor")),
    "lerp": L(lambda _, x: torch.lerp(x, x * 2, 0.3)),
    "addcmul": L(lambda _, x: torch.addcmul(x, x, x, value=0.3)),
    "where": L(lambda _, x: torch.where(x > 0, x, x * 2)),
    "mask": L(lambda _, x: x * (x > 0)),
    "masktype": L(lambda _, x: x * (x > 0).to(x.dtype)),
    "maskmean": L(lambda _, x: (x > 0).to(x.dtype).mean((2, 3))),
    "toint": L(lambda _, x: (x * 3).to(torch.int32).to(x.dtype)),
    "maxof": L(lambda _, x: torch.maximum(x, x * 2)),
    "min": L(lambda _, x: torch.minimum(x, torch.tensor(0.3, dtype=x.dtype))),
    "slice": L(lambda _, x: x[:, 1:, ::2, 3:-2]),
    "slice2": L(lambda _, x: x[:, :, -5:, : x.shape[3] // 2]),
    "sliceh": L(lambda _, x: x[:, :, x.shape[2] // 2 :]),
    "ell": L(lambda _, x: x[..., 0]),
    "neg": L(lambda _, x: x[:, -1]),
    "sel": L(lambda _, x: x.select(3, x.shape[3] - 2)),
    "center": L(lambda _, x: x[:, :, (a := (x.shape[2] - 5) // 2) : a + 5]),
    "chunk": L(lambda _, x: x.chunk(3, 1)),
    "chunk3": L(lambda _, x: x.chunk(3, 3)),
    "split": L(lambda _, x: x.split([1, 2], 1)),
    "unbind": L(lambda _, x: x.unbind(1)),
    "tsplit": L(lambda _, x: x.tensor_split(2, 1)),
    "stack": L(lambda _, x: torch.stack([x, x * 2], 2)),
    "perm": L(lambda _, x: x.permute(0, 2, 3, 1)),
    "transp": L(lambda _, x: x.transpose(1, 3)),
    "mT": L(lambda _, x: x.mT),
    "movedim": L(lambda _, x: x.movedim(1, -1)),
    "expand": L(lambda _, x: x.mean((2, 3), keepdim=True).expand_as(x)),
    "repeat": L(lambda _, x: x.repeat(1, 2, 1, 1)),
    "repeat2": L(lambda _, x: x.repeat(1, 1, 2, 3)),
    "repint": L(lambda _, x: x.repeat_interleave(2, 1)),
    "tile": L(lambda _, x: x.tile(1, 2, 1, 1)),
    "unfold": L(lambda _, x: F.unfold(x, 3, padding=1, dilation=2, stride=2)),
    "unf2": L(lambda _, x: x.unfold(2, 4, 4)),
    "ps": L(lambda _, x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2)),
    "pus": L(lambda _, x: F.pixel_unshuffle(x[:, :, :16, :16], 2)),
    "cs": L(lambda _, x: F.channel_shuffle(x.repeat(1, 2, 1, 1), 3)),
    "einsum": L(lambda _, x: torch.einsum("nchw,ndhw->ncd", x, x)),
    "matmul": L(lambda _, x: x @ x.mT),
    "bmm": L(lambda _, x: torch.bmm(tok(x), x.flatten(2))),
    "baddbmm": L(
        lambda _, x: (
            torch.baddbmm(x[:, 0], x[:, 1], x[:, 2].mT @ x[:, 2], beta=0.5, alpha=2.0)
            if False
            else x
        )
    ),
    "tied": (lambda m: (setattr(m[2], "weight", m[0].weight), m)[1])(
        nn.Sequential(conv(3, 3), nn.ReLU(), conv(3, 3))
    ),
    "tiedb": (lambda m: (setattr(m[2], "bias", m[0].bias), m)[1])(
        nn.Sequential(conv(3, 3), nn.ReLU(), conv(3, 3))
    ),
    "tied stride": (
        lambda m: (
            setattr(m[2], "weight", m[0].weight),
            setattr(m[2], "bias", m[0].bias),
            m,
        )[2]
    )(nn.Sequential(conv(3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3, 2, 1))),
    "twice": L(lambda m, x: m.c(m.c(x)), c=conv(3, 3)),
    "wn": nn.utils.parametrizations.weight_norm(conv(3, 4)),
    "ws": L(modules.standardized, weight=P(8, 3, 3, 3)),
    "shift": L(
        lambda m, x: x * m.scale + m.shift, scale=P(3, 1, 1), shift=P(1, 3, 1, 1)
    ),
    "perm param": L(lambda m, x: x + m.pos.permute(2, 0, 1), pos=P(1, 1, 3)),
    "perm sq": L(lambda m, x: x.mean((2, 3))[:, :, None] * m.pos.t(), pos=P(3, 3)),
    "token": L(
        lambda m, x: torch.cat([m.t.expand(x.shape[0], -1, -1), tok(x)], 1),
        t=P(1, 1, 3),
    ),
    "conv same": nn.Conv2d(3, 4, 4, padding="same"),
    "conv refl": nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    "conv circ": nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode="circular"),
    "convt": nn.ConvTranspose2d(3, 6, 3, 2, 1, 1, groups=3, dilation=2),
    "grouped": nn.Conv2d(3, 6, 3, 2, 1, 2, 3),
    "bilinear": nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 4, 3)),
    "drop": nn.Sequential(nn.Dropout(0.3), nn.Dropout2d(0.2), nn.AlphaDropout(0.1)),
    "const out": L(lambda m, x: (x, m.b), b=P(1, 3)),
    "batch second": L(lambda m, x: x.transpose(0, 1)),
    "folded": L(lambda m, x: x.reshape(x.shape[0] * 3, 1, *x.shape[2:])),
    "mha": CODE["attention"],
    "cos": L(lambda _, x: F.cosine_similarity(x, x * 2 + 1)),
    "bncode": L(
        lambda m, x: F.batch_norm(
            x, m.bn.running_mean, m.bn.running_var, m.bn.weight, m.bn.bias, eps=0.2
        ),
        bn=warm(nn.BatchNorm2d(3)),
    ),
}
for n, m in {**{f"CODE {k}": v for k, v in CODE.items()}, **X}.items():
    if len(sys.argv) > 1 and not any(a in n for a in sys.argv[1:]):
        continue
    kw = {}
    if "windowed" in n:
        kw = {"sizes": [(8, 8)]}
    try:
        r = is_faithful(m, **kw)
        if r and len(sys.argv) == 1:
            continue
        net = cm.trace(m.eval())
        print(
            "same" if r else "SHAPES",
            "|",
            n,
            "|",
            [
                f"{k.name}:{getattr(k.operator, 'constants', '') or k.operator}"
                for k in net.nodes
                if not k.operator.is_determined
            ],
        )
    except BaseException as e:
        print("BAD |", n, "|", type(e).__name__, str(e).replace("\n", " ")[:200])
