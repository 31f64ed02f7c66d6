"""Payment documents made of what a published run left in the database: figures looked up, none computed anew."""
