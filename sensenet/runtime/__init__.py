"""From rows to tensors and from tensors to answers: cells, images, engines, detections."""
