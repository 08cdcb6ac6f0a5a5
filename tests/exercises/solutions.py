"""A solution of every exercise, and others that are written differently: all of them are right."""

SOLUTIONS = {
    "linear": """
self.dW += dy @ self.x.T
self.db += dy.sum(axis=1)
return self.W.T @ dy
""",
    "relu": """
return dy * (self.x > 0)
""",
    "maxpool": """
C, H, W, N = self.x.shape
flat = self.x.reshape(C, H // 2, 2, W // 2, 2, N).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 4)
dflat = np.zeros_like(flat)
dflat[np.arange(len(flat)), flat.argmax(axis=1)] = dy.ravel()
dwindows = dflat.reshape(C, H // 2, W // 2, N, 2, 2)
return dwindows.transpose(0, 1, 4, 2, 5, 3).reshape(C, H, W, N)
""",
    "conv": """
F, C, KH, KW = self.W.shape
OH, OW = dy.shape[1:3]
dpadded = np.zeros_like(self.padded)
for k in range(KH):
    for l in range(KW):
        seen = self.padded[:, k : k + OH, l : l + OW]
        self.dW[:, :, k, l] += np.einsum("fijn,cijn->fc", dy, seen)
        dpadded[:, k : k + OH, l : l + OW] += np.einsum("fc,fijn->cijn", self.W[:, :, k, l], dy)
self.db += dy.sum(axis=(1, 2, 3))
return dpadded[:, self.pad : dpadded.shape[1] - self.pad, self.pad : dpadded.shape[2] - self.pad]
""",
    "softmax": """
dz = p.copy()
dz[y, columns] -= 1
dz /= B
""",
    "momentum": """
v *= m
v += g
w -= lr * v
""",
    "linear-rule": """
return b / b0
""",
    "warmup": """
return base_lr + (i - 1) / k * (lr - base_lr)
""",
}

VARIANTS = [  # (exercise, body)
    ("linear", """
self.dW += np.einsum("mn,dn->md", dy, self.x)
self.db += np.einsum("mn->m", dy)
return np.einsum("md,mn->dn", self.W, dy)
"""),
    ("linear", """
dx = np.zeros_like(self.x)
for n in range(dy.shape[1]):
    self.dW += np.outer(dy[:, n], self.x[:, n])
    self.db += dy[:, n]
    dx[:, n] = dy[:, n] @ self.W
return dx
"""),
    ("linear", """
M, N = dy.shape
for m in range(M):
    for n in range(N):
        self.db[m] += dy[m, n]
        for d in range(len(self.x)):
            self.dW[m, d] += dy[m, n] * self.x[d, n]
return (dy.T @ self.W).T
"""),
    ("linear", """
self.dW[...] = self.dW + (self.x @ dy.T).T
np.add(self.db, dy @ np.ones(dy.shape[1]), out=self.db)
return np.dot(self.W.transpose(), dy)
"""),
    ("relu", "return np.where(self.x > 0, dy, 0)"),
    ("relu", """
dx = dy.copy()
dx[self.x <= 0] = 0
return dx
"""),
    ("relu", "return dy * np.maximum(np.sign(self.x), 0)"),
    ("relu", """
dx = []
for x, d in zip(self.x.ravel(), dy.ravel()):
    dx.append(d if x > 0 else 0.0)
return np.array(dx).reshape(dy.shape)
"""),
    ("relu", "return np.heaviside(self.x, 0) * dy"),
    ("maxpool", """
x = self.x
dx = np.zeros_like(x)
C, OH, OW, N = dy.shape
for c in range(C):
    for i in range(OH):
        for j in range(OW):
            for n in range(N):
                window = x[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, n]
                k, l = divmod(window.argmax(), 2)
                dx[c, 2 * i + k, 2 * j + l, n] = dy[c, i, j, n]
return dx
"""),
    ("maxpool", """
dx, free = np.zeros_like(self.x), np.ones(dy.shape, bool)
y = self.x.reshape(len(self.x), dy.shape[1], 2, dy.shape[2], 2, -1).max(axis=(2, 4))
for k in (0, 1):
    for l in (0, 1):
        wins = free & (self.x[:, k::2, l::2] == y)
        dx[:, k::2, l::2] = np.where(wins, dy, 0)
        free &= ~wins
return dx
"""),
    ("maxpool", """
best = np.full(dy.shape, -np.inf)
dx = np.zeros_like(self.x)
for k, l in [(0, 0), (0, 1), (1, 0), (1, 1)]:
    new = self.x[:, k::2, l::2] > best
    best = np.where(new, self.x[:, k::2, l::2], best)
    for a, b in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        dx[:, a::2, b::2] *= ~new
    dx[:, k::2, l::2] += dy * new
return dx
"""),
    ("conv", """
F, OH, OW, N = dy.shape
dpadded = np.zeros(self.padded.shape)
for f in range(F):
    for i in range(OH):
        for j in range(OW):
            for n in range(N):
                here = np.s_[:, i : i + self.W.shape[2], j : j + self.W.shape[3], n]
                self.dW[f] += dy[f, i, j, n] * self.padded[here]
                dpadded[here] += dy[f, i, j, n] * self.W[f]
                self.db[f] += dy[f, i, j, n]
H, W = dpadded.shape[1] - 2 * self.pad, dpadded.shape[2] - 2 * self.pad
return dpadded[:, self.pad : self.pad + H, self.pad : self.pad + W]
"""),
    ("conv", """
F, C, KH, KW = self.W.shape
(OH, OW), pad = dy.shape[1:3], self.pad
windows = np.lib.stride_tricks.sliding_window_view(self.padded, (OH, OW), axis=(1, 2))
self.dW += np.einsum("fijn,cklnij->fckl", dy, windows)
self.db += dy.reshape(F, -1).sum(axis=1)
wide = np.pad(dy, ((0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1), (0, 0)))
around = np.lib.stride_tricks.sliding_window_view(wide, (KH, KW), axis=(1, 2))
dpadded = np.einsum("frsnkl,fckl->crsn", around, self.W[:, :, ::-1, ::-1])
return dpadded[:, pad : dpadded.shape[1] - pad, pad : dpadded.shape[2] - pad]
"""),
    ("conv", """
F, C, KH, KW = self.W.shape
_, OH, OW, N = dy.shape
cols = np.stack([self.padded[:, k : k + OH, l : l + OW] for k in range(KH) for l in range(KW)], 1)
flat = dy.reshape(F, -1)
self.dW += (flat @ cols.reshape(C * KH * KW, -1).T).reshape(self.W.shape)
self.db += flat.sum(1)
dcols = (self.W.reshape(F, -1).T @ flat).reshape(C, KH, KW, OH, OW, N)
H, W = self.padded.shape[1] - 2 * self.pad, self.padded.shape[2] - 2 * self.pad
dx = np.zeros((C, H, W, N))
for k in range(KH):
    for l in range(KW):
        for i in range(OH):
            for j in range(OW):
                r, s = i + k - self.pad, j + l - self.pad
                if 0 <= r < H and 0 <= s < W:
                    dx[:, r, s] += dcols[:, k, l, i, j]
return dx
"""),
    ("softmax", """
one_hot = np.zeros_like(p)
one_hot[y, columns] = 1
dz = (p - one_hot) / B
"""),
    ("softmax", "dz = (p - (np.arange(len(p))[:, None] == y)) / B"),
    ("softmax", "dz = (p - np.eye(len(p))[:, y]) / B"),
    ("softmax", """
dz = np.zeros_like(p)
for n in columns:
    jacobian = np.diag(p[:, n]) - np.outer(p[:, n], p[:, n])
    dp = np.zeros(len(p))
    dp[y[n]] = -1 / p[y[n], n] / B
    dz[:, n] = jacobian @ dp
"""),
    ("softmax", """
dz = np.empty(p.shape)
for n in range(p.shape[1]):
    for k in range(p.shape[0]):
        dz[k, n] = (p[k, n] - (1 if k == y[n] else 0)) / B
"""),
    ("softmax", """
p[y, columns] -= 1
dz = p / B
"""),
    ("momentum", """
v[:] = m * v + g
w[:] = w - lr * v
"""),
    ("momentum", """
for p in range(len(w)):
    v[p] = m * v[p] + g[p]
    w[p] -= lr * v[p]
"""),
    ("momentum", """
w -= lr * (m * v + g)
np.multiply(v, m, out=v)
np.add(v, g, out=v)
"""),
    ("momentum", """
new = m * v + g
v[...] = new
w += -lr * new
return w, v
"""),
    ("linear-rule", "return 1 / (b0 / b)"),
    ("linear-rule", """
from fractions import Fraction
return float(Fraction(b, b0))
"""),
    ("linear-rule", "from math import exp, log\nreturn exp(log(b) - log(b0))"),
    ("warmup", "return (k + 1 - i) / k * base_lr + (i - 1) / k * lr"),
    ("warmup", """
step = (lr - base_lr) / k
rate = base_lr
for _ in range(i - 1):
    rate += step
return rate
"""),
    ("warmup", "return lr - (k + 1 - i) * (lr - base_lr) / k"),
    ("warmup", """
share = (i - 1) / k
return (1 - share) * base_lr + share * lr
"""),
]  # fmt: skip
