"""What signatures and graphs say of themselves: fields, layers, costs, also as HTML in notebooks."""
