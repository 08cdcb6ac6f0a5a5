"""Every known mistake, as a learner would have written it: (exercise, source, what she is told)."""

from solutions import SOLUTIONS


def linear(
    dW="self.dW += dy @ self.x.T", db="self.db += dy.sum(axis=1)", dx="return self.W.T @ dy"
):
    return f"{dW}\n{db}\n{dx}"


def pool(spot, before=""):
    """Pooling that goes through the windows, with x and dx of one at a time and its d."""
    return f"""
dx = np.zeros_like(self.x)
C, OH, OW, N = dy.shape
for c in range(C):
    for i in range(OH):
        for j in range(OW):
            for n in range(N):
                place = np.s_[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, n]
                window, d, into = self.x[place], dy[c, i, j, n], dx[place]
                {spot.replace(chr(10), chr(10) + " " * 16)}
return dx
"""


def conv(*changes):
    body = SOLUTIONS["conv"]
    for old, new in changes:
        assert body.count(old) == 1, old
        body = body.replace(old, new)
    return body


W_PART = 'self.dW[:, :, k, l] += np.einsum("fijn,cijn->fc", dy, seen)'
B_PART = "self.db += dy.sum(axis=(1, 2, 3))"
X_PART = 'dpadded[:, k : k + OH, l : l + OW] += np.einsum("fc,fijn->cijn", self.W[:, :, k, l], dy)'
RETURN = SOLUTIONS["conv"].strip().splitlines()[-1]

PLANTED = [
    # ---- linear
    ("linear", linear(dW="self.dW += dy @ self.x.T / dy.shape[1]"), "divided dW by the number"),
    ("linear", linear(dW="self.dW[:] = dy @ self.x.T"), "overwrote what was in self.dW"),
    ("linear", linear(dW="self.dW -= dy @ self.x.T"), "dW has the opposite sign"),
    ("linear", linear(dW=""), "self.dW is as it was"),
    ("linear", linear(dW="self.dW = self.dW + dy @ self.x.T"), "`self.dW = ...` gives the layer a"),
    ("linear", linear(db="self.db += dy.mean(axis=1)"), "divided db by the number"),
    ("linear", linear(db="np.sum(dy, 1, out=self.db)"), "overwrote what was in"),
    ("linear", linear(db="self.db -= dy.sum(axis=1)"), "db has the opposite sign"),
    ("linear", linear(db=""), "self.db is as it was"),
    ("linear", linear(db="self.db = dy.sum(axis=1)"), "`self.db = ...` gives the layer a"),
    ("linear", linear(dW="self.dW += self.x @ dy.T"), "dW comes out transposed"),
    ("linear", linear(dW="self.dW += self.x.sum(axis=1)"), "dW has no dy in it"),
    (
        "linear",
        linear(dW="for n in range(dy.shape[1]):\n    share = np.outer(dy[:, n], self.x[:, n])\n"
                  "self.dW += share"),
        "dW is that of the last image alone",
    ),
    (
        "linear",
        linear(dW="self.dW += np.einsum('mn,kn->mk', dy, self.forward(self.x))"),
        "dW is a product of dy with y",
    ),
    ("linear", linear(db="self.db += dy.sum(axis=0)"), "summed over the wrong index"),
    ("linear", linear(db="self.db += dy.sum()"), "All of db is one and the same number"),
    ("linear", linear(db="self.db += dy"), "You add dy as it is to db"),
    ("linear", linear(db="self.db += dy.sum(axis=1, keepdims=True)"), "but as a column"),
    (
        "linear",
        linear(db="for n in range(dy.shape[1]):\n    db = np.zeros_like(self.db) + dy[:, n]\n"
                  "self.db += db"),
        "db is that of the last image alone",
    ),
    ("linear", linear(db="self.db += dy.shape[1]"), "db is the number of images"),
    ("linear", linear(dx="return self.W @ dy"), "dx is made with W as it stands"),
    ("linear", linear(dx="return dy.T @ self.W"), "dx comes out transposed"),
    ("linear", linear(dx="return dy"), "You return dy as it came"),
    ("linear", linear(dx="return self.W.T @ dy / dy.shape[1]"), "divided dx by the number"),
    ("linear", linear(dx="return -(self.W.T @ dy)"), "dx has the opposite sign"),
    (
        "linear",
        linear(dx="return np.tile(self.W.sum(axis=0)[:, None], dy.shape[1])"),
        "dx has no dy in it",
    ),
    # ---- ReLU
    ("relu", "return dy", "the mask is missing"),
    ("relu", "return np.where(self.x > 0, 1.0, 0.0)", "You return the derivative of y by x"),
    ("relu", "return self.x > 0", "You return the derivative of y by x"),
    ("relu", "dx = dy.copy()\ndx[self.x < 0] = 0\nreturn dx", "except where x is exactly 0"),
    ("relu", "return dy * np.heaviside(self.x, 0.5)", "you take 1/2 for the slope"),
    ("relu", "return np.maximum(dy, 0)", "where dy itself is negative"),
    ("relu", "dx = dy.copy()\ndx[self.x >= 0] = 0\nreturn dx", "passes where x is negative, and"),
    ("relu", "return np.where(self.x > 0, 0, dy)", "dy passes where x is negative or 0"),
    ("relu", "return np.where(self.x > 0, self.x, 0) * dy", "You multiplied dy by y"),
    ("relu", "return self.x * (self.x > 0)", "You return the forward pass once more"),
    ("relu", "return dy * np.sign(self.x)", "that is the derivative of |x|"),
    ("relu", "return self.x * dy", "You multiplied dy by x"),
    ("relu", "return -dy * (self.x > 0)", "dx has the opposite sign"),
    # ---- max-pool
    ("maxpool", pool("into[window == window.max()] = d"), "In a tie you give all of dy to every"),
    (
        "maxpool",
        pool("wins = window == window.max()\ninto[wins] = d / wins.sum()"),
        "you share dy equally",
    ),
    (
        "maxpool",
        pool(
            "best = -1e9\nfor k in (0, 1):\n    for l in (0, 1):\n"
            "        if window[k, l] >= best:\n            best, k0, l0 = window[k, l], k, l\n"
            "into[k0, l0] = d"
        ),
        "dy to the last of the winners",
    ),
    (
        "maxpool",
        pool(
            "best = -1e9\nfor l in (0, 1):\n    for k in (0, 1):\n"
            "        if window[k, l] > best:\n            best, k0, l0 = window[k, l], k, l\n"
            "into[k0, l0] = d"
        ),
        "go through the window column by column",
    ),
    ("maxpool", pool("into += d"), "to all four numbers of the window"),
    ("maxpool", pool("into += d / 4"), "that is pooling by the mean"),
    ("maxpool", pool("k, l = divmod(window.argmax(), 2)\ninto[l, k] = d"), "columns are exchanged"),
    ("maxpool", pool("into.T[divmod(window.argmax(), 2)] = d"), "columns are exchanged"),
    ("maxpool", pool("into[divmod(window.argmax(), 2)] = 1"), "You return 1 at the winner"),
    ("maxpool", pool("into[divmod(window.argmax(), 2)] = d * window.max()"), "stands dy times x"),
    ("maxpool", pool("into[divmod(window.argmin(), 2)] = d"), "to the smallest number"),
    (
        "maxpool",
        pool("best, where = 0, None\nfor k in (0, 1):\n    for l in (0, 1):\n"
             "        if window[k, l] > best:\n            best, where = window[k, l], (k, l)\n"
             "if where:\n    into[where] = d"),
        "Windows in which no number is positive",
    ),
    ("maxpool", "return dy", "with one number for a window"),
    ("maxpool", pool("into[0, 0] = d"), "You give dy to the upper left number"),
    ("maxpool", pool("into[divmod(window.argmax(), 2)] -= d"), "dx has the opposite sign"),
    # ---- convolution
    ("conv", conv((W_PART, W_PART + " / dy.shape[3]")), "divided dW by the number"),
    ("conv", conv((W_PART, W_PART.replace("+=", "="))), "overwrote what was in self.dW"),
    ("conv", conv((W_PART, W_PART.replace("+=", "-="))), "dW has the opposite sign"),
    ("conv", conv((W_PART, "")), "self.dW is as it was"),
    ("conv", conv((B_PART, "self.db += dy.sum(axis=(1, 2)).mean(axis=1)")), "divided db by the"),
    ("conv", conv((B_PART, "self.db[:] = dy.sum(axis=(1, 2, 3))")), "overwrote what was in"),
    ("conv", conv((B_PART, "self.db -= dy.sum(axis=(1, 2, 3))")), "db has the opposite sign"),
    ("conv", conv((B_PART, "")), "self.db is as it was"),
    ("conv", conv((B_PART, "self.db = self.db + dy.sum((1, 2, 3))")), "`self.db = ...` gives the"),
    (
        "conv",
        conv((W_PART, W_PART.replace("dW[:, :, k, l]", "dW[:, :, -1 - k, -1 - l]"))),
        "it belongs to a flipped kernel",
    ),
    (
        "conv",
        conv((W_PART, W_PART.replace("dW[:, :, k, l]", "dW[:, :, l, k]"))),
        "rows and columns of the kernels are exchanged",
    ),
    ("conv", conv((W_PART, W_PART.replace("->fc", "->cf"))), "channels and kernels are"),
    ("conv", conv((W_PART, W_PART + " / (OH * OW * dy.shape[3])")), "the mean of dW over all"),
    (
        "conv",
        conv(("seen = self.padded[:, k : k + OH, l : l + OW]", "seen = self.padded[:, :OH, :OW]")),
        "all entries of a kernel are the same",
    ),
    (
        "conv",
        conv(("seen = self.padded[:, k : k + OH, l : l + OW]",
              "p = self.pad\nx = self.padded[:, p : len(self.padded[0]) - p, "
              "p : self.padded.shape[2] - p]\nseen = x[:, k : k + OH, l : l + OW]"
              .replace("\n", "\n" + " " * 8))),
        "Without padding dW is right",
    ),
    (
        "conv",
        conv((W_PART, W_PART.replace("dy, seen", "dy[..., -1:], seen[..., -1:]"))),
        "dW is that of the last image alone",
    ),
    ("conv", conv((B_PART, "self.db += dy.sum(axis=3)")), "but not over the places"),
    ("conv", conv((B_PART, "self.db += dy.sum(axis=(1, 2))")), "but not over the images"),
    ("conv", conv((B_PART, "self.db += dy.sum(axis=(0, 1, 2))")), "summed over the kernels"),
    ("conv", conv((B_PART, "self.db += dy.mean(axis=(1, 2, 3))")), "the mean of dy over all"),
    ("conv", conv((B_PART, "self.db += dy.sum()")), "All of db is one and the same number"),
    (
        "conv",
        conv((B_PART, ""), (W_PART, W_PART + "\n" + " " * 8 + B_PART)),
        "too large by the number of entries",
    ),
    (
        "conv",
        conv((X_PART, X_PART.replace("W[:, :, k, l]", "W[:, :, KH - 1 - k, KW - 1 - l]"))),
        "The kernel is not flipped",
    ),
    (
        "conv",
        conv((RETURN, "p = self.pad\nreturn dpadded[:, p:-p, p:-p]")),
        "Without padding your dx is empty",
    ),
    ("conv", conv((RETURN, "return dpadded")), "dx still has the padding around it"),
    ("conv", conv((X_PART, X_PART.replace("+=", "="))), "overwrites what the one before it"),
    (
        "conv",
        conv((X_PART, X_PART.replace("fc,fijn", "cf,fijn"))),
        "channels and kernels of W are exchanged",
    ),
    (
        "conv",
        conv((X_PART, X_PART.replace("W[:, :, k, l]", "W[:, :, l, k]"))),
        "rows and columns of W are exchanged",
    ),
    ("conv", conv((RETURN, RETURN + " / dy.shape[3]")), "divided dx by the number"),
    ("conv", conv((X_PART, X_PART.replace("+=", "-="))), "dx has the opposite sign"),
    ("conv", conv((X_PART, "")), "dx is all zeros"),
    # ---- softmax
    ("softmax", "dz = p - np.eye(len(p))[:, y]", "derivative of the sum over the images"),
    ("softmax", "dz = (p - np.eye(len(p))[:, y]) / len(y)", "by the number of images in z"),
    ("softmax", "dz = (p - np.eye(len(p))[:, y]) / p.size", "by the number of entries of z"),
    ("softmax", "dz = (p - np.eye(len(p))[:, y]) / B / B", "divided by B twice"),
    ("softmax", "dz = (np.eye(len(p))[:, y] - p) / B", "dz has the opposite sign"),
    ("softmax", "dz = p / B", "the derivative of the denominator alone"),
    ("softmax", "dz = 0 * p\ndz[y, columns] -= 1 / B", "the derivative of the numerator alone"),
    ("softmax", "dz = p * (1 - p) / B", "p (1 - p) is the derivative of"),
    ("softmax", "dz = 0 * p\ndz[y, columns] = -1 / p[y, columns] / B", "the loss by p"),
    ("softmax", "dz = p / B\ndz[p.argmax(axis=0), columns] -= 1 / B", "with the largest logit"),
    ("softmax", "dz = (p - y) / B", "You subtracted the numbers of the classes"),
    ("softmax", "dz = p - y", "You subtracted the numbers of the classes"),
    ("softmax", "dz = (p - 1) / B", "as if it were the right one"),
    ("softmax", "dz = p\ndz[y] -= 1\ndz /= B", "An index `y` alone takes whole rows"),
    ("softmax", "dz = p / B\ndz[y, columns] -= 1", "You divided one part by B and not the"),
    ("softmax", "dz = p\ndz[y, columns] -= 1 / B", "You divided one part by B and not the"),
    ("softmax", "dz = p\ndz[y, columns] = -1\ndz /= B", "wrote a number over what was there"),
    ("softmax", "dz = p\ndz[columns, y] -= 1\ndz /= B", "The two indices are exchanged"),
    ("softmax", "dz = p", "You return the probabilities themselves"),
    # ---- momentum
    ("momentum", "v *= m\nv += lr * g\nw -= v", "The rate is inside v"),
    ("momentum", "v *= m\nv -= lr * g\nw += v", "already holds the rate and the minus sign"),
    ("momentum", "v *= m\nv -= g\nw -= lr * v", "In v the gradient is subtracted"),
    ("momentum", "v *= m\nv -= g\nw += lr * v", "Your v has the opposite sign"),
    ("momentum", "w -= lr * v\nv *= m\nv += g", "the velocity from before this update"),
    ("momentum", "v[:] = m * v + (1 - m) * g\nw -= lr * v", "Your v is a mean"),
    ("momentum", "v[:] = m * v + g\nw -= lr * (g + m * v)", "That is Nesterov's momentum"),
    ("momentum", "v[:] = m * v + g\nw += lr * v", "along the gradient the loss rises"),
    ("momentum", "v = m * v + g\nw -= lr * v", "`v = ...` makes a new array and calls"),
    ("momentum", "v *= m\nv += g\nw = w - lr * v", "`w = ...` makes a new array and calls"),
    ("momentum", "v = m * v + g\nw = w - lr * v\nreturn w, v", "w and v are both as they were"),
    ("momentum", "v *= m\nv += g\nw -= lr * g", "the velocity has no effect"),
    ("momentum", "v += g\nw -= lr * v", "m is missing"),
    ("momentum", "v += g\nv *= m\nw -= lr * v", "m multiplies the new gradient as well"),
    ("momentum", "v += m * g\nw -= lr * v", "m stands at the gradient"),
    ("momentum", "v *= m\nv += lr * g\nw -= lr * v", "The rate is in both lines"),
    ("momentum", "v *= m\nv += g\nw -= v", "the rate is missing"),
    ("momentum", "v[:] = g\nw -= lr * v", "Your v is the gradient alone"),
    # ---- the linear rule
    ("linear-rule", "return b0 / b", "It is upside down"),
    ("linear-rule", "from math import sqrt\nreturn sqrt(b) / sqrt(b0)", "by the square root"),
    ("linear-rule", "return int(b / b0)", "what is behind the point"),
    ("linear-rule", "return float(f'{b / b0:.0f}')", "You rounded to a whole number"),
    ("linear-rule", "from math import ceil\nreturn ceil(b / b0)", "You rounded up"),
    ("linear-rule", "return b", "You return b, whatever b0 is"),
    ("linear-rule", "return b / 64", "You divided by 64"),
    ("linear-rule", "return b - b0", "You subtracted"),
    ("linear-rule", "return b / b0 - 1", "by how much the rate grows"),
    ("linear-rule", "if b < b0:\n    return 1\nreturn b / b0", "It is right for b > b0"),
    ("linear-rule", "lr = 0.01\nreturn lr * b / b0", "You put a rate of 0.01 into it"),
    ("linear-rule", "return (b * b) / (b0 * b0)", "You squared it"),
    ("linear-rule", "from math import log\nreturn log(b / b0, 2)", "how often the"),
    ("linear-rule", "from math import log\nreturn 1 + log(b / b0) / log(2)", "You add 1 for"),
    ("linear-rule", "return 1.0", "does not depend on the batch size"),
    ("linear-rule", "return b * b0", "You multiplied b by b0"),
    # ---- the warmup
    ("warmup", "return base_lr + i * (lr - base_lr) / k", "Off by one: you are a step ahead"),
    ("warmup", "return base_lr + (i - 2) * (lr - base_lr) / k", "you are a step behind"),
    ("warmup", "return base_lr + (lr - base_lr) * (i - 1) / (k - 1)", "Your steps are too large"),
    (
        "warmup",
        "if k == 1:\n    return base_lr\nreturn base_lr + (lr - base_lr) * (i - 1) / (k - 1)",
        "Your steps are too large",
    ),
    (
        "warmup",
        "if i == k:\n    return lr\nreturn base_lr + (lr - base_lr) * (i - 1) / (k - 1)",
        "Your steps are too large",
    ),
    ("warmup", "return base_lr + (lr - base_lr) * (i - 1) / (k + 1)", "Your steps are too small"),
    ("warmup", "return base_lr + (lr - base_lr) * i / (k + 1)", "Off by one at the beginning"),
    ("warmup", "return lr + (i - 1) / k * (base_lr - lr)", "η0 and η are exchanged"),
    ("warmup", "return lr * i / k", "starts from nothing, whatever η0 is"),
    ("warmup", "return (i - 1) * lr / k", "starts from 0, whatever η0 is"),
    ("warmup", "return base_lr + (i - 1) * lr / k", "come on top of η0"),
    ("warmup", "return base_lr + (i - 1) // k * (lr - base_lr)", "Your rate is η0 in every"),
    ("warmup", "return lr", "the full one from the first epoch on"),
    ("warmup", "q = (lr / base_lr) ** (1 / k)\nreturn base_lr * q ** (i - 1)", "the same factor"),
    ("warmup", "return (base_lr + (i - 1) / k * (lr - base_lr)) / base_lr", "how many times η0"),
]  # fmt: skip
