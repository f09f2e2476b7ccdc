"""What holds a row back, as people found it with a profiler: text by name, nothing computed."""

EXPLANATIONS = {
    "ledger.single": """
What holds it back: one Python interpreter runs on one core. The bound lets both cores share all of an event; here the
second core gets the signature checks, which a process of their own makes while the block before is applied, and what
SQLite does outside the interpreter. With a check of C and a rest of R the most that leaves is 1 / R, which is (C + R)
/ 2R of the bound: about 0.62 with 64 and 250 us. Of R, parsing a statement takes about 50 us (30 of it its JSON,
decoded and written again to see that it is the one form), the signer's key and sequence, the contract, the outcome
and the log about 110, the authenticated map 20, SQLite's statements 40. Outside R stand a future and the queue for
each sender's answer, about 10 us, and the interpreter's search for cyclic garbage: with thousands of statements
waiting it took 40 to 80 us an event more, seen by switching it off.
""",
    "ledger.batch": """
What holds it back: everything but the signature is done for each message. Of about 95 us, its place in the batch's
tree takes 5, decoding it and writing it again to see that it is the one form 6, its outcome 8, its contract with the
records it reads and writes and all the rest of the transition about 40, its part of the authenticated map 17, SQLite's
own work on records, leaves and statements 20. The bound does the last of these alone, in the order of its key.
""",
    "proof.bundle_bytes_with_state": """
What holds it back: the product proves three records of an attestation's state, the signer's key, the attestation and
the battery. The key's record alone has over 800 bytes, since it lists what the key may sign, and each record brings its
own path of siblings although the upper ones are the same for all three. Sharing them would need a new bundle format.
""",
    "proof.verify": """
Where the time goes besides the signatures: reading the bundle, about 100 CBOR values, and its ten JSON documents, each
decoded and written again to see that it is the one form. Each level of the Merkle paths costs one hash and hardly
shows.
""",
    "fsck": """
What holds it back: the same as for `ledger.single`. The signatures of the next block are checked by a second process
while a block is applied; parsing and applying stay on one core.
""",
    "ledger.latency_p95": """
What holds it back: a block of one event costs about 1 ms of processor time whatever is in it (the log, the state root,
four SQLite statements and the sync), so that at half of the rate that full blocks reach the writer is already busy most
of the time, and an event waits for the block before its own as well. Sender and engine share one interpreter here, and
take it from each other in slices of up to 5 ms. The lowest runs are what it comes to when nothing else is late.
""",
    "consortium.p95_500": """
What holds it back: four applications and four engines share the cores of one machine. An application spends on a
statement of its own what the embedded ledger spends, parsing, one signature check and the transition, and four of them
do it four times; the kvstore checks nothing. The engine adds to that: its client of the socket re-arms a flush timer
every 20 nanoseconds while the application works (20 ms was meant), and spins for it. Where each member has a machine of
its own, neither adds up.
""",
    "consortium.saturation": """
What holds it back: the bound counts our applications and the kvstore's engines, as if an engine spent no more on an
application behind a socket than on one in its own process. The difference between the last two figures above is what
the socket and its flush timer cost the engines; no setting of theirs changes it.
""",
    "consortium.bodies": """
What holds it back: every member applies every message of a batch, four times the work on the same cores, where the
kvstore stores 400 kB as one value. The second bound says what the cores allow if the engines cost no more than the
kvstore's; on machines of their own the members would share only the network.
""",
    "consortium.anchors": """
What holds it back: every member applies every message, so that one message costs the cores four times what it costs
the embedded ledger (`ledger.batch`). Ten thousand a second on these cores would leave one application 50 us for a
message and the engines nothing; the first figure above says what it needs.
""",
    "consortium.energy": """
Why there is no proof of work here: what it buys is agreement among strangers without admission; members of a consortium
are admitted by votes, and two thirds of them agree by signatures. Both sides of the comparison rest on declared
figures, the power of a core and the published mean of a network, and only the processor time was measured; the
difference is of so many powers of ten that no choice of either would change what follows from it.
""",
    "passport.page": """
Why it is this fast: a stranger's page is kept until the ledger changes or its minute ends. A run in which a minute ends
makes its pages anew, each from eight signed statements, about 20 ms a page, and is far slower for that while.
""",
}
