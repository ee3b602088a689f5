"""What the API of customers answers."""

# The methods of what is only read, and of what is added to and never changed.
READ = ["get", "head"]
ADD = [*READ, "post"]
