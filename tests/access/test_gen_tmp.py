import pytest
from .addresses import *
from .county import ROLES
from django.db import transaction
def test_gen(county, clients, db):
    out=[]
    for method in ("get","post"):
        out.append(method)
        for p in named_patterns():
            a=address(p.name,county); row=[]
            for r in ROLES:
                sid=transaction.savepoint()
                try:
                    import copy; from django.core.cache import cache; from django.test import Client; cache.clear(); c=Client(); c.cookies=copy.deepcopy(clients[r].cookies)
                    resp=getattr(c,method)(a)
                    st=str(resp.status_code)
                    if resp.status_code==302: st='login' if resp['Location'].startswith('/login/?') else '302'
                except Exception as e: st=type(e).__name__
                transaction.savepoint_rollback(sid)
                row.append(st)
            out.append(f"{p.name:24}"+" ".join(f"{x:>5}" for x in row))
    open('/tmp/team/walk/gen.txt','w').write("\n".join(out))
