"""Floor 1: the generative model, its discriminator, their losses, the sampler and the confidence tau."""
