"""What a battery's passport shows, to whom, and under which code it is found."""
