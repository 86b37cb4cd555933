"""What is computed: a handful of kinds, to which all operations come down."""

from __future__ import annotations

from service.engine.steps.steps import INPUT as INPUT
from service.engine.steps.steps import Blend as Blend
from service.engine.steps.steps import Centres as Centres
from service.engine.steps.steps import Conv2d as Conv2d
from service.engine.steps.steps import ConvTranspose2d as ConvTranspose2d
from service.engine.steps.steps import GradientMagnitude as GradientMagnitude
from service.engine.steps.steps import NormalizedConv2d as NormalizedConv2d
from service.engine.steps.steps import Pool as Pool
from service.engine.steps.steps import Reach as Reach
from service.engine.steps.steps import Restore as Restore
from service.engine.steps.steps import Step as Step
from service.engine.steps.steps import Weights as Weights
