"""data.demo: the sample community 梧桐里, made by our own code, the same every time.

``plan.community`` makes it as frames without a database; ``load.load`` writes it into one. Nobody in it exists:

- identity numbers pass GB 11643 but begin with 99, a division that no person can have
  (``data.base.identity.UNASSIGNED_PREFIX``);
- phone numbers begin with 154, which the numbering plan keeps for mobile networks and has given to none (list of
  the ministry of industry and information technology, March 2023);
- the district, its streets and its river are invented, and so are the names, put together from common characters.
"""
