"""The steps: the few kinds of computation that make up all operations.

A step knows its shape arithmetic, its cost, and how far its numbers reach; it touches no pixel. Kernels are stored as
applied, as correlations: an operation that means a convolution has already flipped them. Pairs are (vertical,
horizontal). A weight of unknown numbers (a client may plan with shapes alone) is an array of NaN.
"""

from __future__ import annotations

from service.engine.steps.blend import INPUT as INPUT
from service.engine.steps.blend import Blend as Blend
from service.engine.steps.centres import Centres as Centres
from service.engine.steps.conv2d import Conv2d as Conv2d
from service.engine.steps.conv_transpose2d import ConvTranspose2d as ConvTranspose2d
from service.engine.steps.geometry import NO_PADDING as NO_PADDING
from service.engine.steps.gradient_magnitude import GradientMagnitude as GradientMagnitude
from service.engine.steps.normalized_conv2d import NormalizedConv2d as NormalizedConv2d
from service.engine.steps.pool import Pool as Pool
from service.engine.steps.reach import Reach as Reach
from service.engine.steps.restore import Restore as Restore
from service.engine.steps.weights import Weights as Weights

Step = Conv2d | ConvTranspose2d | NormalizedConv2d | GradientMagnitude | Pool | Restore | Blend
