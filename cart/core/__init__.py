"""The pure core: events in, effects out.

::

    LoadSampled --> weight ----> Step, Standstill --+
    Sighted ------> trip.scans -------------------- +--> decision --> judge --> trip --> Save
    Classified ---> evidence.looks ---------------- +                           |       CommitSale
    Tapped, ExitSeen --> session (phases) ----------+                           v
    Saved, BrokerUp, Receipted --> sync --> Publish, CloseCharge              screen --> Show

Read `events`, then `step`, then one file of tests/scenarios. Nothing in this
package reads a clock, a file or a random number: time and ids are fields of
events, so a recording of the events replays to the same effects, bit for bit.
Mass is in milligrams, money in minor units, time in nanoseconds, evidence in
millinats; all of them integers.
"""
