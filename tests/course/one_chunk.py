"""A fused layer with the two passes of a plain one, for the gradient checks."""


class OneChunk:
    """A fused layer, one chunk per batch, as a layer that needs no begin and no finish.

    With `named`, its weights are attributes of this object, too.
    """

    def __init__(self, layer, named=True):
        self.layer = layer
        if named:
            self.W, self.b, self.dW, self.db = layer.W, layer.b, layer.dW, layer.db

    def forward(self, x):
        self.layer.begin()
        return self.layer.forward(x).copy()

    def backward(self, dy):
        dx = self.layer.backward(dy)
        self.layer.finish()
        return dx.copy()
