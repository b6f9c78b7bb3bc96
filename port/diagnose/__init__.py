"""What a wrong value looks like, and the line that would mend it. Arrays in, sentences out; knows no framework."""
