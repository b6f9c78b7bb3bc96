def add_verb(verbs, epilog):
    pass

def run_scan(args):
    pass
