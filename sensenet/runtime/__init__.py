"""From rows to tensors and from tensors to answers: cells, pictures, engines, detections."""
