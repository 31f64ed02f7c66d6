"""Settlement: transfer orders from confirmed money, their registers, and the commission."""
