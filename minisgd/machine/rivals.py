"""The same network, loss and update in the frameworks that people would use instead.

For the benchmark only. Each function returns (train_epoch, forward), closures over data already in
the layout that suits the framework best, so that only the framework's own work is timed:

    train_epoch(order, batch_size)    one epoch of SGD over the images in this order
    forward(batch_size)               the logits of the test set, brought to the host

Raises:  ImportError if the framework is not installed; its `name` says what is missing
"""

import numpy as np

from ..networks import LENET5, MNIST_PIXELS, initial_weights, shapes_of, views

LR = 0.01


def _normalised(images):
    x = images.reshape(-1, 1, 28, 28).astype(np.float32)
    mean, deviation = MNIST_PIXELS
    return (x / 255 - mean) / deviation  # (N, 1, 28, 28)


def _initial_views():
    """The weights that minisgd starts from with seed 0."""
    return views(initial_weights(LENET5, np.random.default_rng(0)), shapes_of(LENET5))


def _torch(data, threads, device):
    """What the two PyTorch contenders share: net, optimizer, images, labels and `forward`."""
    import torch
    from torch import nn

    if device == "cuda" and not torch.cuda.is_available():
        raise ImportError(name="PyTorch for this GPU")
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # full float32 as in CuPy, not TF32 with its 10 bits
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    ).to(device, memory_format=torch.channels_last)  # fmt: skip
    for theirs, ours in zip(net.parameters(), _initial_views().values(), strict=True):
        theirs.data.copy_(torch.from_numpy(ours))  # the same shapes, in the same order
    optimizer = torch.optim.SGD(net.parameters(), lr=LR)

    def images(split):
        x = torch.from_numpy(_normalised(split.images))
        return x.to(device, memory_format=torch.channels_last)

    x, test_x = images(data.train), images(data.test)
    y = torch.from_numpy(data.train.labels.astype(np.int64)).to(device)

    def forward(batch_size):
        with torch.no_grad():
            return torch.cat([net(piece) for piece in test_x.split(batch_size)]).cpu().numpy()

    return net, optimizer, x, y, forward


def torch_eager(data, threads, micro_batch=None, device="cpu"):
    """PyTorch, eager, channels_last; with `micro_batch`, gradients are accumulated over pieces of
    that many images.
    """
    import torch
    from torch import nn

    net, optimizer, x, y, forward = _torch(data, threads, device)

    def train_epoch(order, batch_size):
        order = torch.from_numpy(order).to(device)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            optimizer.zero_grad()
            for piece in batch.split(micro_batch or batch_size):
                loss = nn.functional.cross_entropy(net(x[piece]), y[piece])
                (loss * (len(piece) / len(batch))).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return train_epoch, forward


def torch_graphed(data, threads):
    """PyTorch on a GPU, with each update a CUDA graph; a smaller last batch runs eagerly."""
    import torch
    from torch import nn

    net, optimizer, x, y, forward = _torch(data, threads, "cuda")
    graphs = {}

    def step(batch):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
        optimizer.step()

    def captured(batch_size):
        """The graph, and the indices that it reads; the updates of the warm-up are undone."""
        batch = torch.arange(batch_size, device="cuda")
        before = [w.detach().clone() for w in net.parameters()]
        side_stream = torch.cuda.Stream()
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            for _ in range(3):
                step(batch)
        torch.cuda.current_stream().wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        optimizer.zero_grad()  # so that the gradients are allocated in the graph's memory
        with torch.cuda.graph(graph):
            step(batch)
        with torch.no_grad():
            for w, saved in zip(net.parameters(), before, strict=True):
                w.copy_(saved)
        return graph, batch

    def train_epoch(order, batch_size):
        order = torch.from_numpy(order).to("cuda")
        if batch_size not in graphs and batch_size <= len(order):
            graphs[batch_size] = captured(batch_size)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            if len(batch) < batch_size:
                step(batch)
            else:
                graph, index = graphs[batch_size]
                index.copy_(batch)
                graph.replay()
        torch.cuda.synchronize()

    return train_epoch, forward


def jax_jitted(data, threads):
    """JAX, one jitted update per batch, images in NHWC. JAX itself decides on its threads."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    w = {name: jnp.asarray(view) for name, view in _initial_views().items()}

    def conv(x, W, b, pad):
        y = lax.conv_general_dilated(
            x, W, (1, 1), [(pad, pad)] * 2, dimension_numbers=("NHWC", "OIHW", "NHWC")
        )
        return jax.nn.relu(y + b)

    def pool(x):
        N, H, W, C = x.shape
        return x.reshape(N, H // 2, 2, W // 2, 2, C).max(axis=(2, 4))

    def logits(w, x):
        x = pool(conv(x, w["conv1.W"], w["conv1.b"], 2))
        x = pool(conv(x, w["conv2.W"], w["conv2.b"], 0))
        x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
        for name in ("fc1", "fc2"):
            x = jax.nn.relu(x @ w[name + ".W"].T + w[name + ".b"])
        return x @ w["fc3.W"].T + w["fc3.b"]

    def loss(w, x, y):
        z = jax.nn.log_softmax(logits(w, x))
        return -jnp.take_along_axis(z, y[:, None], axis=1).mean()

    @jax.jit
    def step(w, x, y, index):
        g = jax.grad(loss)(w, x[index], y[index])
        return jax.tree.map(lambda w, g: w - LR * g, w, g)

    def images(split):
        return jnp.asarray(_normalised(split.images).transpose(0, 2, 3, 1))

    x, test_x = images(data.train), images(data.test)
    y = jnp.asarray(data.train.labels.astype(np.int32))
    jitted = jax.jit(logits)

    def train_epoch(order, batch_size):
        nonlocal w
        order = jnp.asarray(order)
        for start in range(0, len(order), batch_size):
            w = step(w, x, y, order[start : start + batch_size])
        jax.block_until_ready(w)

    def forward(batch_size):
        pieces = range(0, len(test_x), batch_size)
        return np.concatenate([jitted(w, test_x[i : i + batch_size]) for i in pieces])

    return train_epoch, forward
